"""Questions about a document leave the file; what a person wrote around the others stays."""

from pathlib import Path

import pytest

from tasks.retrieval.golden_file import about, take_out

WRITTEN = """\
# what readers ask
questions:
# about fees
- id: fee   # checked by Ann
  question: What does it cost?
  document: fees.md
  quote: |
    fifteen euros
    a year
  follows: ['Is it free?',
            'And for students?']

# about rooms
- {id: room, question: 'Which floor?', document: rooms.md, quote: second floor}
- id: foreign
  question: Who is the mayor?
  answerable: false
-
  id: last
  document: fees.md
  question: Who pays nothing?
"""
KEPT = """\
# what readers ask
questions:
# about fees

# about rooms
- {id: room, question: 'Which floor?', document: rooms.md, quote: second floor}
- id: foreign
  question: Who is the mayor?
  answerable: false
"""


def test_only_the_lines_of_the_questions_go(tmp_path: Path) -> None:
    path = tmp_path / "asked.yaml"
    path.write_text(WRITTEN)
    out, rest = about(path, ["fees.md"])
    assert [one.id for one in out] == ["fee", "last"] and [one.id for one in rest] == ["room", "foreign"]
    take_out(path, ["fees.md"])
    assert path.read_text() == KEPT and [*tmp_path.iterdir()] == [path]
    take_out(path, ["fees.md"])
    assert path.read_text() == KEPT


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_its_mode_line_ends_and_byte_order_mark_stay(tmp_path: Path, mark: str, mode: int) -> None:
    path, link = tmp_path / "asked.yaml", tmp_path / "link.yaml"
    path.write_bytes((mark + WRITTEN.replace("\n", "\r\n")).encode())
    path.chmod(mode)
    link.symlink_to(path)
    take_out(link, ["fees.md"])
    assert path.read_bytes() == (mark + KEPT.replace("\n", "\r\n")).encode()
    assert path.stat().st_mode & 0o777 == mode and link.is_symlink()


@pytest.mark.parametrize(
    "text",
    [
        "{questions: [{id: a, question: 'A?', document: fees.md}, {id: b, question: 'B?', document: x.md}]}",
        "questions:\n- {id: a, question: &q 'A?', document: fees.md}\n- {id: b, question: *q, document: x.md}\n",
    ],
)
def test_a_file_that_cannot_be_cut_by_lines_is_written_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "asked.yaml"
    path.write_text(text)
    rest = about(path, ["fees.md"])[1]
    take_out(path, ["fees.md"])
    assert about(path, ["fees.md"]) == ([], rest) and [one.id for one in rest] == ["b"]
    path.write_bytes(text.replace("\n", "\r\n").encode())
    take_out(path, ["fees.md"])
    assert (path.read_bytes().count(b"\r\n") == path.read_bytes().count(b"\n")) == ("\n" in text)
