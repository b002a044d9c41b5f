"""/predict, /batch_predict and /products: scores, words, drafts, and what cannot be judged."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bentos.creative.model import Creative
from bentos.kit.desk import Desk
from tasks.creative.served import Served
from tasks.sources.products import products
from tasks.watching.log import folder, segments
from tests.bentos.conftest import Client
from tests.bentos.creative.conftest import RECORD, Start, write_release
from tests.bentos.test_predict import refused
from tests.creative.test_picking import told
from tests.language.openai_server import Told

__all__ = ["told"]  # fixture


def logged(desk: Desk[Creative]) -> list[dict[str, Any]]:
    files = segments(folder(desk.config.root, "shop"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def test_a_record_is_scored_explained_and_drafted_for(start: Start, tmp_path: Path) -> None:
    client, desk = start()
    told = client.post("/predict", json=RECORD).json()
    served = Served.load(tmp_path / "release", lambda artifact: tmp_path)
    assert told["probability"] == served.predict([RECORD])[0]["probability"]
    assert told["prediction"] is (told["probability"] >= 0.5)
    by_words = {one["words"]: one["effect"] for one in told["words"]}
    assert any("litre" in words and effect > 0 for words, effect in by_words.items())
    assert any("rust" in words and effect < 0 for words, effect in by_words.items())
    assert told["caption"] == "Blue kettle. It boils a litre in 90 seconds" and "#kitchen" in told["hashtags"]
    assert told["ad_copy"].endswith("Price: 34.50.") and told["drafted_by"] == "template"
    assert datetime.fromisoformat(told["generated_at"]).tzinfo is not None
    assert told["version"].startswith("local-") and told["request_id"]
    assert desk.metrics.rows.labels(told["version"])._value.get() == 1


def test_what_is_not_asked_for_is_not_made(start: Start, tmp_path: Path) -> None:
    client, _ = start(folder=write_release(tmp_path / "plain", facts=False))
    assert "caption" not in client.post("/predict", json=RECORD).json()
    told = client.post("/predict?words=false&drafts=false", json=RECORD).json()
    assert set(told) == {"prediction", "probability", "generated_at", "version", "request_id"}
    refused(client.post("/predict?words=perhaps", json=RECORD), 422, "bad_input")


def test_a_model_picks_where_one_is_named(start: Start, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_DRAFTS", "writer")
    told.pieces = ['{"caption": [3], "ad_copy": [3, 1]}']
    client, _ = start()
    found = client.post("/predict", json=RECORD).json()
    assert found["drafted_by"] == "writer" and found["caption"] == "It will not rust" and "drafts_note" not in found
    (one,) = client.post("/batch_predict", json=[RECORD]).json()["predictions"]
    assert one["drafted_by"] == "template" and len(told.asked) == 1
    assert "caption" not in client.post("/predict?drafts=false", json=RECORD).json() and len(told.asked) == 1

    told.status = 500
    found = client.post("/predict", json=RECORD).json()
    assert found["drafted_by"] == "template" and found["caption"].startswith("Blue kettle.")
    assert found["drafts_note"].startswith("writer gave no drafts")


def test_a_batch_is_answered_in_its_order(start: Start) -> None:
    client, _ = start(max_batch=60)
    rows = [{name: one.record()[name] for name in RECORD} for one in products(60)]
    told = client.post("/batch_predict", json=rows).json()["predictions"]
    alone = [client.post("/predict?words=false", json=row).json()["probability"] for row in rows[:5]]
    assert [one["probability"] for one in told[:5]] == alone and len(told) == 60
    assert "words" not in told[0] and told[0]["caption"]
    refused(client.post("/batch_predict", json=[*rows, rows[0]]), 422, "batch_too_large")
    refused(client.post("/batch_predict", json=[]), 422, "bad_input")


@pytest.mark.parametrize("text", ["", "  ", "?!", "\x80"])
def test_a_record_without_a_word_is_refused(start: Start, text: str) -> None:
    client, _ = start()
    bare = dict.fromkeys(("title", "category", "description"), text) | {"price": None}
    told = refused(client.post("/predict", json=bare), 422, "bad_input")
    assert told["message"].startswith("The record has no word in title, category, description, price")
    assert client.post("/predict", json=RECORD | {"title": text}).status_code == 200


def test_a_batch_that_takes_too_long_is_given_up(start: Start) -> None:
    client, _ = start(timeout_s=0.0001)
    told = refused(client.post("/batch_predict", json=[RECORD] * 500), 504, "timeout")
    assert "took longer" in told["message"] or "of 500 records were done in time" in told["message"]


def test_a_slow_model_costs_no_score(start: Start, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PENSTOCK_DRAFTS", "writer")
    told.pieces, told.pause_s = [" "] * 100, 0.1
    client, _ = start(timeout_s=1.0)
    found = client.post("/predict", json=RECORD).json()
    assert found["probability"] > 0 and found["drafted_by"] == "template" and "drafts_note" in found


def test_a_record_whose_only_word_is_markup_is_refused(start: Start) -> None:
    client, _ = start()
    record = dict.fromkeys(("title", "category", "description"), "<b></b>") | {"price": None}
    told = refused(client.post("/batch_predict", json=[RECORD, record]), 422, "bad_input")
    assert told["message"].startswith("Row 1 has no word")


@pytest.mark.parametrize(
    "text",
    [
        "\u05e9\u05dc\u05d5\u05dd \u0639\u0627\u0644\u0645",
        "<script>alert(1)</script> kettle",
        "great \U0001f600\U0001f3fd",
        "a\x00b",
        "word " * 6000,
    ],
    ids=["right to left", "markup", "emoji", "control", "long"],
)
def test_unusual_texts_are_judged(start: Start, text: str) -> None:
    client, _ = start()
    told = client.post("/predict", json=RECORD | {"description": text})
    assert told.status_code == 200, told.text
    assert "<script" not in told.text and told.json().get("cut") == (["description"] if len(text) > 10_000 else None)


def test_a_megabyte_is_refused(start: Start) -> None:
    client, _ = start()
    refused(client.post("/predict", json=RECORD | {"description": "word " * 200_000}), 413, "too_large")


def test_texts_are_logged_only_by_setting(start: Start) -> None:
    client, desk = start()
    client.post("/predict", json=RECORD)
    client.post("/batch_predict", json=[RECORD, RECORD])
    lines = logged(desk)
    assert len(lines) == 3 and "boils" not in json.dumps(lines)
    assert lines[0]["features"]["price"] == 34.5 and lines[0]["features"]["words"] == 14
    assert lines[0]["features"]["unknown_words"] == 0.6154 and lines[0]["features"]["language"] == "en"
    assert set(lines[0]["output"]) == {"prediction", "probability"}


def test_texts_are_logged_where_the_setting_says_so(start: Start) -> None:
    client, desk = start(log_text=True)
    client.post("/predict", json=RECORD)
    (line,) = logged(desk)
    assert line["inputs"] == RECORD and "caption" in line["output"]


def test_made_up_products(start: Start) -> None:
    client: Client = start()[0]
    told = client.get("/products?count=3&seed=7").json()["products"]
    assert told == [one.record() for one in products(3, 7)]
    assert len(client.get("/products").json()["products"]) == 50
    for query in ("count=0", "count=1001", "count=x", "seed=-1", "count=", f"seed={'9' * 5000}"):
        refused(client.get(f"/products?{query}"), 422, "bad_input")
