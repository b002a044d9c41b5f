"""A loaded version: what it refuses, and when it ends."""

from pathlib import Path
from typing import Any

import pytest

from bentos.kit.handle import Handle, ReleaseFile, load
from bentos.tabular.model import load_tabular
from tasks.errors import BadInput, Refused
from tasks.registry.golden import agree
from tests.bentos.conftest import write_release


class Closing:
    """A model that tells when it was closed."""

    closed = 0

    def answer(self, request: Any) -> dict[str, Any]:
        return {"got": request}

    def close(self) -> None:
        self.closed += 1


def test_a_retired_version_ends_with_its_last_request(tmp_path: Path) -> None:
    model = Closing()
    handle = Handle(tmp_path, "1", "", ReleaseFile(release="a", kind="tabular", files={}), model)
    with handle:
        with handle:
            handle.retire()
        assert model.closed == 0
    assert model.closed == 1


def test_numbers_agree_up_to_rounding() -> None:
    assert agree({"a": 1.0, "b": [0.1 + 0.2]}, {"a": 1, "b": [0.3]})
    assert not agree({"a": 1.0}, {"a": 1.001})
    assert not agree({"a": 1.0}, {"a": 1.0, "b": 2})
    assert not agree([1.0], [1.0, 2.0])
    assert not agree("red", "white")


def test_what_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    def broken(_folder: Path, _release: ReleaseFile) -> Closing:
        raise KeyError("model")

    good = write_release(tmp_path / "good")
    with pytest.raises(Refused, match="KeyError"):
        load(good, "1", broken)
    with pytest.raises(Refused, match="self-test"):
        load(write_release(tmp_path / "spoilt", spoilt=True), "2", load_tabular)
    with pytest.raises(BadInput, match="holds no release"):
        load(tmp_path / "none", "1", load_tabular)
    (good / "transform.json").unlink()
    with pytest.raises(Refused, match=r"transform\.json"):
        load(good, "1", load_tabular)
    (good / "release.json").write_text("[]")
    with pytest.raises(BadInput, match="is not a release"):
        load(good, "1", load_tabular)
