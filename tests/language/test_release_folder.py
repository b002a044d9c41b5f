"""The folder of a release, made of the small room: its record, its golden answers, its pictures, its summary."""

import json

from tasks.artifacts import Artifact, Store
from tasks.language.adapter import CONFIG, WEIGHTS
from tasks.language.evaluation import Evaluation, read_rows
from tasks.language.lora import Tuned
from tasks.language.merging import Merged
from tasks.language.plots import draw
from tasks.language.release_folder import GOLDEN, Made, assemble, requests_of
from tasks.language.sampling import GenerationOptions
from tasks.language.served import answering
from tasks.language.summary import table
from tests.language.room import Room

NONE = Artifact(uri="weights/none", digest="0" * 64, kind="weights")


def made(room: Room, tuned: Tuned, merged: Merged) -> Made:
    return Made(
        release="chat",
        key="k" * 64,
        base=room.base,
        examples=room.examples.artifact,
        tuned=tuned,
        merged=merged,
        weights=NONE,
        generation=GenerationOptions(),
        lineage=[{"what": "data"}],
    )


def test_a_release_is_the_adapter_and_a_record_whose_golden_answers_come_again(
    room: Room, tuned: Tuned, merged: Merged, evaluations: tuple[Evaluation, Evaluation], room_store: Store
) -> None:
    artifact = assemble(made(room, tuned, merged), evaluations[1])
    folder = room_store.path(artifact)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == {
        "release.json",
        f"adapter/{CONFIG}",
        f"adapter/{WEIGHTS}",
    }
    record = json.loads((folder / "release.json").read_bytes())
    assert record["kind"] == "assistant" and record["merged"]["digest"] == merged.artifact.digest
    assert set(record["metrics"]) == set(evaluations[1].metrics) and all(record["files"].values())
    golden = record["golden"]
    assert len(golden) == GOLDEN and all(one["answer"]["text"] for one in golden)
    with answering(folder, room_store) as answer:
        assert [answer(one["request"]) for one in golden] == [one["answer"] for one in golden]
    assert assemble(made(room, tuned, merged), evaluations[1]) == artifact


def test_golden_requests_are_those_that_the_model_is_surest_of(
    room: Room, evaluations: tuple[Evaluation, Evaluation]
) -> None:
    asked = {one["messages"][-1]["content"] for one in requests_of(room.examples.artifact, evaluations[1])}
    held = [row for row in read_rows(evaluations[1].scores) if row.part == "held" and row.ended]
    others = [row.loss for row in held if row.question not in asked]
    assert len(asked) == GOLDEN and max(row.loss for row in held if row.question in asked) <= min(others)


def test_pictures_and_summary_show_base_and_tuned(
    tuned: Tuned, evaluations: tuple[Evaluation, Evaluation], room_store: Store
) -> None:
    folder = room_store.path(draw(tuned.curve, *evaluations))
    pictures = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(pictures) == {"loss.png", "scores.png", "answers.png"}
    assert all(data.startswith(b"\x89PNG") for data in pictures.values())
    lines = list(table(*evaluations))
    assert len(lines) == 1 + len(evaluations[1].metrics) and lines[0].split() == ["base", "tuned"]
    assert (
        str(evaluations[0].metrics["perplexity"]) in lines[1] and str(evaluations[1].metrics["perplexity"]) in lines[1]
    )
