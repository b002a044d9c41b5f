"""The release folder: small, it names the large artifacts by digest and says how they must answer."""

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, JsonValue

from tasks.artifacts import Artifact, current
from tasks.registry.release_file import assembled
from tasks.retrieval.evaluation import Evaluation, request_of
from tasks.retrieval.golden import read_questions
from tasks.retrieval.judges import Judged
from tasks.retrieval.prompts import FILE, write_prompt
from tasks.retrieval.served import Served
from tasks.retrieval.specs import AnswerOptions, SearchOptions

GOLDEN = 5
REFUSED = 1
OUTPUT = "documents/1"
PARTS = ("index", "weights", "chunks", "pages", "rerank", "search", "answers")
EXTRACTIVE = "none: the scores of the answers are extractive (words found, documents cited)"


class Made(BaseModel, frozen=True):
    """What a release is made of: `key` names it, `inputs` are what its record keeps of data, recipe and code."""

    release: str
    key: str
    index: Artifact
    weights: Artifact
    chunks: Artifact
    pages: Artifact | None = None
    rerank: Artifact | None = None
    search: SearchOptions = SearchOptions()
    answers: AnswerOptions = AnswerOptions()
    inputs: dict[str, JsonValue] = {}


def assemble(made: Made, evaluation: Evaluation, questions: Artifact, judged: Judged | None = None) -> Artifact:
    """A folder artifact (kind `releases`); its golden answers come from the code that will serve it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "release"
        folder.mkdir()
        write_prompt(folder, made.answers.prompt)
        requests = _requests(questions)
        return assembled(folder, _record(made, evaluation, judged), requests, lambda: _answers(folder, requests))


def _answers(folder: Path, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with closing(Served.load(folder, current().path)) as served:
        return [served.answer(one) for one in requests]


def _record(made: Made, evaluation: Evaluation, judged: Judged | None) -> dict[str, Any]:
    named = {name: getattr(made, name) for name in PARTS}
    metrics = evaluation.metrics | (judged.metrics if judged else {})
    return {
        "schema_version": 1,
        "release": made.release,
        "kind": "documents",
        "key": made.key,
        "inputs": made.inputs,
        **{name: value and value.model_dump(mode="json", exclude={"prompt"}) for name, value in named.items()},
        "threshold": evaluation.threshold,
        "threshold_fitted": evaluation.fitted,
        "questions": {
            "asked": evaluation.questions,
            "unanswerable": evaluation.unanswerable,
            "proposed": evaluation.proposed,
        },
        "judge": judged.by if judged else EXTRACTIVE,
        "metrics": {name: interval.model_dump() for name, interval in metrics.items()},
        "prompt": made.answers.prompt.model_dump(mode="json"),
        "input_schema": [],
        "output_schema": OUTPUT,
        "golden": [],
        "files": {FILE: ""},
    }


def _requests(questions: Artifact) -> list[dict[str, Any]]:
    """A few questions, spread over all of them, and one that has no answer."""
    asked, _ = read_questions(questions)
    kept = []
    for sort, most in ((True, GOLDEN), (False, REFUSED)):
        some = [question for question in asked if question.answerable is sort]
        count = min(most, len(some))
        kept += [some[place * len(some) // count] for place in range(count)]
    return [request_of(question).model_dump(mode="json", exclude_defaults=True) for question in kept]
