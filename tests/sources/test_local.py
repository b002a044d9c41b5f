"""Files of the user's own: found, told apart, and refused with one paragraph before anything else happens."""

import os
from pathlib import Path

import pandas as pd
import pytest

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.sources.fetch import check_files, fetch, parse_files, source_state
from tests.sources.projects import project

GOOD = "id,size,kind\n01,1.5,a\n02,,b\n"
TWO = {"type": "url", "parts": {part: {"url": f"https://x.invalid/{part}"} for part in ("red", "white")}}
ONE = {"type": "file", "path": "things.csv"}


def test_parts_by_name_and_the_only_part_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    two, _ = project(tmp_path / "two", TWO)
    one, _ = project(tmp_path / "one", ONE)
    assert parse_files(two, ["red=a=b.csv", "white=/x/*.csv"]) == {
        "red": str(tmp_path / "a=b.csv"),
        "white": "/x/*.csv",
    }
    assert parse_files(one, ["a.csv"]) == {"data": str(tmp_path / "a.csv")}
    assert parse_files(one, ["./x=1/a.csv"]) == {"data": str(tmp_path / "x=1/a.csv")}
    for dataset, entries, told in (
        (two, ["a.csv"], "red=PATH"),
        (two, ["rose=a.csv"], "rose"),
        (two, ["red=a.csv", "red=b.csv"], "twice"),
        (one, [""], "path"),
    ):
        with pytest.raises(BadInput, match=told):
            parse_files(dataset, entries)


BAD = {
    "missing": (None, "does not exist"),
    "empty": (b"", "is empty"),
    "blank": (b" \n\n", "is empty"),
    "separator": (GOOD.replace(",", ";").encode(), "semicolon"),
    "twice": (b"id,size,size,kind\n1,2,3,4\n", "'size' more than once"),
    "lacks": (b"id,size\n1,2\n", "lacks the column 'kind'"),
    "extra": (b"id,size,kind,colour\n1,2,3,4\n", "'colour', which the contract does not know"),
    "no header": (b"01,1.5,a\n02,2.5,b\n", "'01', '1.5', 'a'"),
    "latin": ("id,size,kind\n1,2,Käse\n".encode("latin-1"), "line 2 has the byte 0xe4"),
    "utf-16": (GOOD.encode("utf-16"), "UTF-16"),
    "gzip": (b"\x1f\x8b\x08\x00rest", "unpack"),
    "zip": (b"PK\x03\x04rest of the archive", "zip archive"),
    "parquet": (b"PAR1 not really", "damaged Parquet"),
    "excel": (b"\xd0\xcf\x11\xe0 not really", "cannot be read as Excel"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_file_is_told_in_one_paragraph(tmp_path: Path, store: Store, case: str) -> None:
    content, told = BAD[case]
    dataset, contract = project(tmp_path, ONE, separator=",")
    path = tmp_path / "mine.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        check_files(dataset, contract, {"data": str(path)})
    assert told in str(caught.value) and "mine.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_every_named_file_is_looked_at_before_the_network(tmp_path: Path, store: Store) -> None:
    dataset, contract = project(tmp_path, TWO)
    (tmp_path / "red.csv").write_text(GOOD)
    files = parse_files(dataset, [f"red={tmp_path}/red.csv", f"white={tmp_path}/white.csv"])
    with pytest.raises(BadInput, match=r"white\.csv.*does not exist"):
        check_files(dataset, contract, files)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_where_none_is_declared(tmp_path: Path, separator: str) -> None:
    dataset, contract = project(tmp_path, ONE)
    (tmp_path / "things.csv").write_text(GOOD.replace(",", separator))
    check_files(dataset, contract, {})


def test_parquet_and_excel_headers_are_checked(tmp_path: Path) -> None:
    dataset, contract = project(tmp_path, ONE)
    frame = pd.DataFrame({"id": ["1"], "size": [1.0], "kind": ["a"]})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_excel(tmp_path / "a.xlsx", index=False)
    frame.drop(columns="kind").to_parquet(tmp_path / "b.parquet")
    frame.drop(columns="kind").to_excel(tmp_path / "b.xlsx", index=False)
    for name in ("a.parquet", "a.xlsx"):
        check_files(dataset, contract, {"data": str(tmp_path / name)})
    for name in ("b.parquet", "b.xlsx"):
        with pytest.raises(BadInput, match=f"{name} lacks the column 'kind'"):
            check_files(dataset, contract, {"data": str(tmp_path / name)})


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    dataset, contract = project(tmp_path, ONE)
    with pytest.raises(BadInput, match="is a folder"):
        check_files(dataset, contract, {"data": str(tmp_path)})
    with pytest.raises(BadInput, match="has no part 'rose'"):
        check_files(dataset, contract, {"rose": str(tmp_path)})


def test_a_glob_takes_its_files_in_order(tmp_path: Path, store: Store) -> None:
    dataset, contract = project(tmp_path, {"type": "file", "path": "raw/*.csv"})
    with pytest.raises(BadInput, match="matches no file"):
        check_files(dataset, contract, {})
    (tmp_path / "raw").mkdir()
    for name in ("b", "a", "c"):
        (tmp_path / "raw" / f"{name}.csv").write_text(GOOD)
    check_files(dataset, contract, {})
    assert [Path(file.origin).name for file in fetch(dataset, {}).files] == ["a.csv", "b.csv", "c.csv"]


def test_the_state_follows_the_content_not_the_name_or_the_time(tmp_path: Path, store: Store) -> None:
    dataset, _ = project(tmp_path, ONE)
    path = tmp_path / "things.csv"
    path.write_text(GOOD)
    first = source_state(dataset, {})
    os.utime(path, (1, 1))
    assert source_state(dataset, {}) == first
    (tmp_path / "other.csv").write_text(GOOD)
    assert source_state(dataset, {"data": str(tmp_path / "other.csv")}) == first
    path.write_text(GOOD + "03,3,c\n")
    assert source_state(dataset, {}) != first


def test_the_state_of_sources_without_files_is_constant(tmp_path: Path, store: Store) -> None:
    states = []
    for seed in (0, 0, 1):
        dataset, _ = project(tmp_path, {"type": "generator", "name": "credit-applications", "rows": 200, "seed": seed})
        states.append(source_state(dataset, {}))
    assert states[0] == states[1] != states[2]
    pinned = {"type": "url", "parts": {"data": {"url": "https://x.invalid/a", "sha256": "0" * 64}}}
    assert source_state(project(tmp_path, pinned)[0], {}) == source_state(project(tmp_path, pinned)[0], {}, 0)
