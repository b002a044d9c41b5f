"""`penstock new documents`: what could never be trained is refused before a file is written."""

from pathlib import Path

import pytest

from flows import new
from flows.orders import recipe_of
from tasks.errors import BadInput
from tasks.settings import load
from tasks.sources.catalog import load_dataset


@pytest.mark.parametrize("data", [b"only text", b"PK\x03\x04", b""])
def test_a_folder_without_a_document_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path / "project"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.pdf").write_bytes(data)
    with pytest.raises(BadInput, match=r"No file in .*'bad\.pdf'.* first bytes"):
        new.documents("mine", tmp_path / "in", load())
    assert not (tmp_path / "project").exists()
    (tmp_path / "in" / "notes.txt").write_text("A lake.")
    new.documents("mine", tmp_path / "in", load())
    assert (tmp_path / "project" / "releases" / "mine.yaml").exists()


def test_a_mistake_in_a_recipe_names_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path))
    path = tmp_path / "releases" / "mine.yaml"
    path.parent.mkdir()
    path.write_text("kind: documents\ndataset: mine\nanswers:\n  generatr: x\n")
    with pytest.raises(BadInput) as caught:
        recipe_of("mine", load())
    assert str(caught.value).startswith(f"{path}: unknown field 'answers.generatr', did you mean 'answers.")


def test_an_assistant_is_made_of_documents_or_conversations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_PROJECT", str(tmp_path / "project"))
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "bad.pdf").write_bytes(b"only text")
    with pytest.raises(BadInput, match=r"No file in .*'bad\.pdf'"):
        new.assistant("papers", tmp_path / "papers", load())
    (tmp_path / "chat.jsonl").write_text('{"prompt": "How deep?", "completion": "30 m"}\n')
    new.assistant("chat", tmp_path / "chat.jsonl", load())
    assert load_dataset("chat", load().folders).chats
    assert "base: smollm2" in (tmp_path / "project" / "releases" / "chat.yaml").read_text()
