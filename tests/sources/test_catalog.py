"""Catalog entries: what they may say, and how a mistake in one is told."""

from pathlib import Path

import pytest

from tasks.errors import BadInput, NotFound
from tasks.sources.catalog import FileSource, SqlSource, dataset_names, load_dataset, masked
from tests.sources.projects import project

BOX = Path(__file__).parents[2] / "data"


def test_the_box_has_its_datasets() -> None:
    assert {"credit-applications", "wine-quality", "credit-default", "german-credit"} <= set(dataset_names([BOX]))
    wine = load_dataset("wine-quality", [BOX])
    assert wine.parts == ["red", "white"] and wine.part_column == "colour" and wine.separator_of("red") == ";"


def test_the_users_folder_wins_and_paths_start_there(tmp_path: Path) -> None:
    project(tmp_path, {"type": "file", "path": "raw/*.csv"})
    (tmp_path / "datasets" / "iris.yaml").write_text("{title: t, licence: l, source: {type: file, parts: {a: a.csv}}}")
    things, iris = (load_dataset(name, [tmp_path, BOX]) for name in ("things", "iris"))
    assert isinstance(things.source, FileSource) and isinstance(iris.source, FileSource)
    assert things.source.files == {"data": str(tmp_path / "raw/*.csv")}
    assert iris.source.files == {"a": str(tmp_path / "a.csv")}
    assert things.contract == "things"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"type": "ftp"}, "source"),
        ({"type": "file"}, "path"),
        ({"type": "url", "parts": {}}, "parts"),
        ({"type": "url", "parts": {"data": {"url": "file:///etc/passwd"}}}, "url"),
        ({"type": "url", "parts": {"data": {"url": "https://x/y", "sha256": "beef"}}}, "sha256"),
        (
            {"type": "package", "distribution": "--evil", "version": "1", "file": "f", "sha256": "0" * 64},
            "distribution",
        ),
        ({"type": "sklearn", "loader": "boston"}, "loader"),
        ({"type": "generator", "name": "nothing"}, "name"),
        ({"type": "file", "path": "a.csv", "sheet": 2}, "sheet"),
    ],
)
def test_a_wrong_entry_is_told_with_its_file_and_field(tmp_path: Path, source: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput) as caught:
        project(tmp_path, source)
    assert "things.yaml" in str(caught.value) and told in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_dataset_is_told_with_the_nearest() -> None:
    with pytest.raises(NotFound, match="did you mean 'wine-quality'"):
        load_dataset("wine-qualty", [BOX])


def test_credentials_are_masked() -> None:
    url = "postgresql://me:secret@host/db?password=hidden&sslmode=on"
    assert masked(url) == "postgresql://me:***@host/db?password=***&sslmode=***"
    assert masked("https://host/a.csv") == "https://host/a.csv"


@pytest.mark.parametrize("password", ["a/b", "a@b", "@b", "a/b@c", "a?b=c@d", "a#b"])
def test_a_password_that_is_not_escaped_is_masked_whole(password: str) -> None:
    assert masked(f"postgresql://me:{password}@host/db") == "postgresql://me:***@host/db"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@host/db",
        "postgresql://me:hun/ter@2@host/db",
        "postgresql://me:@hunter2@host/db",
        "postgresql://me:${A}hunter2@host/db",
        "sqlite:///db.sqlite?password=hunter2",
    ],
)
def test_a_password_in_the_catalog_is_refused_and_not_told(tmp_path: Path, url: str) -> None:
    with pytest.raises(BadInput, match=r"write \$\{NAME\}") as caught:
        project(tmp_path, {"type": "sql", "url": url, "query": "SELECT 1"})
    assert "hunter2" not in str(caught.value) and "hun/ter" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["sqlite:////a/b.sqlite", "postgresql://${USER}:${PASSWORD}@host:5432/db", "postgresql://me:${P}@h/d?a=b@c"]
)
def test_an_address_without_a_password_is_taken(tmp_path: Path, url: str) -> None:
    dataset, _ = project(tmp_path, {"type": "sql", "url": url, "query": "SELECT 1"})
    assert isinstance(dataset.source, SqlSource) and dataset.source.url == url
