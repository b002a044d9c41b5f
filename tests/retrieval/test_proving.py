"""A text is found in files of any size, packed or not."""

import io
import zipfile

import pytest

from tasks.retrieval import proving
from tasks.retrieval.proving import told_in_file

RUN = "The ferry to the island leaves the old"


@pytest.mark.parametrize("shift", [0, 1, 17, 40])
def test_a_passage_on_the_edge_of_a_block_is_found(shift: int) -> None:
    before = b"word " * (proving.BLOCK // 5 - 8) + b"x" * shift + b" "
    assert told_in_file(io.BytesIO(before + RUN.encode() + b" pier" * 20), (RUN,))
    assert not told_in_file(io.BytesIO(before + RUN.replace("island", "coast").encode() + b" pier" * 20), (RUN,))


def test_a_passage_in_an_archive_is_found() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", "nothing " * 9)
        archive.writestr("b.txt", RUN * 2)
        archive.writestr("c.txt", f"so: {RUN}.")
    assert RUN.encode() not in packed.getvalue()
    assert told_in_file(packed, (RUN,))
    assert not told_in_file(packed, ("The ferry to the coast leaves the old",)) and not told_in_file(packed, ())
