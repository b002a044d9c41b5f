"""Folder sources in the catalog."""

from pathlib import Path

import pytest
import yaml

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.sources.catalog import FolderSource, load_dataset
from tasks.sources.folders import look
from tasks.sources.state import local_files, parse_files


def dataset(folder: Path, **source: object) -> Path:
    (folder / "datasets").mkdir(parents=True, exist_ok=True)
    entry = {"title": "Papers", "licence": "CC0", "source": {"type": "folder", **source}}
    (folder / "datasets" / "papers.yaml").write_text(yaml.safe_dump(entry))
    return folder


def test_a_relative_folder_starts_at_the_project_and_a_url_stays(tmp_path: Path) -> None:
    here = load_dataset("papers", [dataset(tmp_path, path="samples/papers")]).source
    there = load_dataset("papers", [dataset(tmp_path, path="s3://bucket/papers", tenants=True)]).source
    assert isinstance(here, FolderSource) and here.path == str(tmp_path / "samples" / "papers")
    assert isinstance(there, FolderSource) and there.path == "s3://bucket/papers" and there.tenants


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"path": "s3://key:secret@bucket/x"}, "holds a password"),
        ({"path": "x", "globs": []}, "globs"),
        ({"path": ""}, "path"),
    ],
)
def test_a_wrong_folder_is_told(tmp_path: Path, source: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        load_dataset("papers", [dataset(tmp_path, **source)])


def test_a_folder_is_no_table_and_file_names_another_folder(tmp_path: Path) -> None:
    loaded = load_dataset("papers", [dataset(tmp_path, path="papers")])
    with pytest.raises(BadInput, match="recipe of kind documents"):
        local_files(loaded, {})
    assert parse_files(loaded, [str(tmp_path)]) == {"data": str(tmp_path)}


def test_a_variable_that_is_not_set_is_named(store: Store) -> None:
    with pytest.raises(BadInput, match="NOWHERE"):
        look(FolderSource(type="folder", path="s3://${NOWHERE}/papers"))
