import re
from pathlib import Path

import pytest

from tasks import settings
from tasks.errors import BadInput
from tasks.settings import OUTSIDE, PREFIX, ROOT, Settings, load, origins


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root with files of its own."""
    monkeypatch.setattr(settings, "ROOT", tmp_path)
    return tmp_path


def test_the_example_names_every_setting_and_no_other() -> None:
    text = (ROOT / ".env.example").read_text()
    named = set(re.findall(rf"^#? ?({PREFIX}\w+)=", text, re.MULTILINE))
    assert named == {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | OUTSIDE


def test_the_order_of_places(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    (home / "pyproject.toml").write_text("[tool.penstock]\nprefect_port = 1\n")
    seen.append(load().prefect_port)
    (home / ".env").write_text("PENSTOCK_PREFECT_PORT=2\n")
    seen.append(load().prefect_port)
    (home / ".env.prod").write_text("PENSTOCK_PREFECT_PORT=3\n")
    monkeypatch.setenv("PENSTOCK_ENV", "prod")
    seen.append(load().prefect_port)
    monkeypatch.setenv("PENSTOCK_PREFECT_PORT", "4")
    seen.append(load().prefect_port)
    assert seen == [1, 2, 3, 4]
    assert origins(load())["prefect_port"] == (4, "environment")
    assert origins(load())["mlflow_port"] == (5000, "default")


@pytest.mark.parametrize("where", ["environment", ".env", "pyproject.toml"])
def test_an_unknown_setting_names_the_nearest(home: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    if where == "environment":
        monkeypatch.setenv("PENSTOCK_PREFCT_PORT", "1")
    elif where == ".env":
        (home / ".env").write_text("PENSTOCK_PREFCT_PORT=1\n")
    else:
        (home / "pyproject.toml").write_text("[tool.penstock]\nprefct_port = 1\n")
    with pytest.raises(BadInput, match=rf"PENSTOCK_PREFCT_PORT \(in the {where}\).*PENSTOCK_PREFECT_PORT"):
        load()


def test_an_unusable_value_is_one_sentence(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_PREFECT_PORT", "many")
    with pytest.raises(BadInput, match="PENSTOCK_PREFECT_PORT cannot be 'many'"):
        load()


def test_native_variables_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:8/api")
    assert (load().mlflow_url, load().prefect_url) == ("http://127.0.0.1:9", "http://127.0.0.1:8/api")
