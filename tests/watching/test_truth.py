"""Labels and ratings joined to predictions."""

from pathlib import Path

import orjson
import pytest

from tasks.artifacts import Store
from tasks.watching.parts import Part, parts
from tasks.watching.truth import joined, truth, unknown
from tests.watching.logged import feedback, made, prediction


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def labelled(store: Store, chosen: list[Part] | None = None, **asked: str) -> list[tuple[str, object]]:
    everything = parts(store, "wine")
    batches = joined(store, everything if chosen is None else chosen, truth(store, everything), **asked)  # type: ignore[arg-type]
    rows = [row for batch in batches for row in batch.to_pylist()]
    return [(row["request_id"], row["label"] and orjson.loads(row["label"])) for row in rows]


def test_labels_come_later_or_earlier_than_their_prediction(store: Store, tmp_path: Path) -> None:
    made(store, tmp_path, feedback(2, label="early"))
    window = made(store, tmp_path, *map(prediction, range(3)))
    made(store, tmp_path, feedback(0, label=1.5), feedback(9, label=True))
    assert labelled(store) == [("id0", 1.5), ("id1", None), ("id2", "early")]
    assert labelled(store, window) == labelled(store)
    told = unknown(store, parts(store, "wine"), truth(store, parts(store, "wine")))
    assert (told.count, told.examples) == (1, ["id9"])
    made(store, tmp_path, prediction(9))
    assert unknown(store, parts(store, "wine"), truth(store, parts(store, "wine"))).count == 0
    assert labelled(store)[-1] == ("id9", True)


def test_the_last_label_wins_and_contradictions_are_counted(store: Store, tmp_path: Path) -> None:
    made(store, tmp_path, prediction(0), prediction(1))
    made(store, tmp_path, feedback(0, label="good"), feedback(1, label=2), feedback(1, label=2))
    made(store, tmp_path, feedback(0, label="bad"), feedback(0, rating=4))
    assert labelled(store) == [("id0", "bad"), ("id1", 2)]
    told = truth(store, parts(store, "wine"))
    assert told.contradictions == 1
    (batch,) = joined(store, parts(store, "wine")[:1], told, columns=["output"])
    assert batch.schema.names == ["output", "label", "rating"]
    assert batch["rating"].to_pylist() == [4, None]


def test_labels_join_on_tenant_and_row(store: Store, tmp_path: Path) -> None:
    made(store, tmp_path, *(prediction(0, tenant=tenant, row=row) for tenant in "ab" for row in (0, 1)))
    made(store, tmp_path, feedback(0, tenant="b", row=1, label=1))
    assert labelled(store) == [("id0", None), ("id0", None), ("id0", None), ("id0", 1)]
    made(store, tmp_path, feedback(0, tenant="c", label=1))
    assert unknown(store, parts(store, "wine"), truth(store, parts(store, "wine"))).count == 1


def test_of_a_repeated_request_the_last_answer_counts(store: Store, tmp_path: Path) -> None:
    made(store, tmp_path, prediction(0, output=1), prediction(1), prediction(0, output=2, version="2"))
    made(store, tmp_path, prediction(0, output=3), prediction(0, kind="shadow", output=4))
    chosen, told = parts(store, "wine"), truth(store, parts(store, "wine"))
    rows = [row for batch in joined(store, chosen, told) for row in batch.to_pylist()]
    assert [(row["request_id"], row["output"]) for row in rows] == [("id1", '{"prediction":1.5}'), ("id0", "3")]
    assert labelled(store, version="2") == [("id0", None)]
    assert labelled(store, kind="shadow") == [("id0", None)]


def test_a_log_without_feedback(store: Store, tmp_path: Path) -> None:
    assert labelled(store) == []
    made(store, tmp_path, prediction(0))
    assert labelled(store) == [("id0", None)]
