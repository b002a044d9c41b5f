import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from tasks import planning
from tasks.artifacts import Artifact, Store
from tasks.planning import Receipt, Step, artifacts_in, closure, key_of, load_receipt, plain, plan


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project: flow -> features -> helpers, and numpy at the end."""
    monkeypatch.setattr(planning, "ROOT", tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "helpers.py").write_text('"""Doc."""\nimport numpy\n\ndef half(x):\n    return x / 2\n')
    (tmp_path / "tasks" / "features.py").write_text(
        "def f(x):\n    from tasks.helpers import half\n    return half(x)\n"
    )
    (tmp_path / "tasks" / "other.py").write_text("def g(x):\n    return x\n")
    (tmp_path / "tasks" / "flow.py").write_text("from tasks import features, other, caching\n")
    (tmp_path / "tasks" / "caching.py").write_text("")
    return tmp_path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def code_of(module: str, house: Path) -> dict[str, str]:
    planning.locate.cache_clear()
    return closure(module, (house,))


def test_the_closure_crosses_modules_and_names_versions(house: Path) -> None:
    import numpy

    code = code_of("tasks.features", house)
    assert set(code) == {"tasks.features", "tasks.helpers", "numpy"}
    assert code["numpy"] == numpy.__version__


def test_every_package_that_the_project_imports_has_a_version() -> None:
    files = [file for part in planning.OURS for file in (planning.ROOT / part).rglob("*.py")]
    imported = {name.partition(".")[0] for file in files for name in planning.parsed(file.read_bytes())[1]}
    others = imported - sys.stdlib_module_names - set(planning.OURS) - {"ragas"}  # ragas: in an environment of its own
    assert {"qdrant_edge", "markdown_it", "numpy"} <= others
    assert [name for name in sorted(others) if not planning.version(name)] == []


def test_infrastructure_is_left_out(house: Path) -> None:
    assert "tasks.caching" not in code_of("tasks.flow", house)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("x / 2", "x / 3", False),
        ('"""Doc."""', '"""Other words."""', True),
        ("import numpy", "import numpy  # fast", True),
    ],
)
def test_an_edited_helper_changes_the_closure_and_a_comment_does_not(
    house: Path, old: str, new: str, same: bool
) -> None:
    before = code_of("tasks.features", house)
    untouched = code_of("tasks.other", house)
    edit(house / "tasks" / "helpers.py", old, new)
    assert (code_of("tasks.features", house) == before) is same
    assert code_of("tasks.other", house) == untouched


def test_the_key_holds_the_steps_own_name() -> None:
    assert key_of("tasks.a.fit", {}, {"x": 1}) != key_of("tasks.b.fit", {}, {"x": 1})
    assert "/" not in key_of("tasks.a.fit", {}, {})


def test_where_an_artifact_lies_does_not_matter_and_its_digest_does() -> None:
    here, there = Artifact(uri="a/1", digest="1", kind="a"), Artifact(uri="b/1", digest="1", kind="a", meta={"rows": 3})
    assert plain(here) == plain(there)
    assert plain(here) != plain(Artifact(uri="a/1", digest="2", kind="a"))


def test_a_frame_or_a_path_cannot_be_an_input() -> None:
    with pytest.raises(TypeError, match="Artifact or a small value"):
        plain(Path("somewhere"))


class Result(BaseModel):
    tables: dict[str, Artifact]
    rows: int


def test_artifacts_are_found_inside_results() -> None:
    one = Artifact(uri="a/1", digest="1", kind="a")
    assert artifacts_in([Result(tables={"x": one}, rows=1), 3, "x"]) == [one]


@pytest.fixture
def receipt(store: Store, house: Path) -> Receipt:
    code = code_of("tasks.features", house)
    steps = [
        Step(task="one", module="tasks.other", key="1", code=code_of("tasks.other", house), inputs={}, artifacts=[]),
        Step(task="two", module="tasks.features", key="2", code=code, inputs={}, artifacts=[store.put_json("x", 1)]),
        Step(task="three", module="tasks.other", key="3", code=code_of("tasks.other", house), inputs={}, artifacts=[]),
    ]
    return Receipt(conditions={"source": "1"}, code=code_of("tasks.flow", house), steps=steps, outcome={})


def states(store: Store, receipt: Receipt, house: Path, source: str = "1") -> list[tuple[str, str]]:
    planning.locate.cache_clear()
    return [(line.step, line.state) for line in plan(store, receipt, {"source": source}, "tasks.flow", (house,))]


def test_nothing_changed_nothing_runs(store: Store, receipt: Receipt, house: Path) -> None:
    assert states(store, receipt, house) == [("one", "cached"), ("two", "cached"), ("three", "cached")]


def test_an_edit_runs_from_the_step_that_holds_it(store: Store, receipt: Receipt, house: Path) -> None:
    edit(house / "tasks" / "helpers.py", "x / 2", "x / 3")
    assert states(store, receipt, house) == [("one", "cached"), ("two", "runs"), ("three", "follows")]
    why = plan(store, receipt, {"source": "1"}, "tasks.flow", (house,))[1].why
    assert why == "edited: tasks.helpers"


def test_a_gone_artifact_runs_its_step(store: Store, receipt: Receipt, house: Path) -> None:
    store.path(receipt.steps[1].artifacts[0]).unlink()
    assert states(store, receipt, house)[1] == ("two", "runs")


def test_a_changed_source_runs_all(store: Store, receipt: Receipt, house: Path) -> None:
    assert states(store, receipt, house, source="2")[0] == ("source", "runs")


def test_an_edited_flow_runs_though_no_step_changed(store: Store, receipt: Receipt, house: Path) -> None:
    edit(house / "tasks" / "flow.py", "other", "other as another")
    assert states(store, receipt, house)[-1] == ("tasks.flow", "runs")


def test_without_a_receipt_all_runs_and_another_format_is_none(store: Store, receipt: Receipt) -> None:
    assert plan(store, None, {}, "tasks.flow")[0].state == "runs"
    store.write("receipts/a.json", receipt.model_copy(update={"schema_version": 0}).model_dump_json().encode())
    assert load_receipt(store, "receipts/a.json") is None
    for other in (b'{"schema_version": 2, "lines": []}', b"{}", b"torn {"):
        store.write("receipts/a.json", other)
        assert load_receipt(store, "receipts/a.json") is None
    store.write("receipts/a.json", receipt.model_dump_json().encode())
    assert load_receipt(store, "receipts/a.json") == receipt
