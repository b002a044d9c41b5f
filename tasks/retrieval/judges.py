"""A language model as judge of the answers: MLflow's judges, or RAGAS in an environment of its own.

The endpoint is that of OpenAI's own variables (OPENAI_BASE_URL, OPENAI_API_KEY). A judge that does not answer, or
answers what is no score, is Unavailable: nothing is skipped, since what is left out would count as passed."""

import json
import math
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current
from tasks.documents.chunk_file import read_chunks
from tasks.errors import BadInput, Unavailable
from tasks.registry.gate import Check
from tasks.retrieval import ragas_child
from tasks.retrieval.golden import read_questions
from tasks.retrieval.metrics import mean
from tasks.statistics import Interval

MOST = 30  # cases: a judge is slow and costs
AT_ONCE = 4
SECONDS = 120.0  # one answer of the judge
VERDICTS = {"yes": 1.0, "no": 0.0}


class Judge(BaseModel):
    """The model that judges; `ragas` is the Python of an environment with RAGAS, which then does the judging.

    `embeddings` names an embedding model at the same endpoint, without which RAGAS has no answer relevance.
    `endpoint` (the model's address) and `version` (of RAGAS) are there to be in the key: others judge anew."""

    model_config = ConfigDict(frozen=True)

    model: str
    ragas: str | None = None
    embeddings: str | None = None
    endpoint: str = ""
    version: str = ""


class Judged(BaseModel):
    """What a judge said: the means of its scores, by whom, and every score in `scores`."""

    model_config = ConfigDict(frozen=True)

    by: str
    cases: int
    metrics: dict[str, Interval]
    scores: Artifact


class Case(BaseModel):
    """One answered question as it stands alone, the texts that its answer was written from, and what a right one would
    rest on."""

    model_config = ConfigDict(frozen=True)

    id: str
    group: str
    question: str
    answer: str
    contexts: tuple[str, ...]
    reference: str


def judge(scores: Artifact, questions: Artifact, chunks: Artifact, by: Judge) -> Judged:
    """The judge's scores of a version's answers, as they stand in the scores of its evaluation."""
    told = cases(scores, questions, chunks)
    if len(told) < 2:
        raise BadInput(f"A judge needs at least 2 answered questions with a quote or an answer; there are {len(told)}.")
    named, rows = _ragas(told, by) if by.ragas else _mlflow(told, by)
    for case, row in zip(told, rows, strict=True):
        if wrong := [f"{name} = {value}" for name, value in row.items() if not math.isfinite(value)]:
            raise Unavailable(f"The judge {by.model} gave no number for question {case.id}: {', '.join(wrong)}.")
    groups = [case.group for case in told]
    body = [{"id": case.id, **row} for case, row in zip(told, rows, strict=True)]
    return Judged(
        by=f"{by.model} through {named}",
        cases=len(told),
        metrics={name: mean([row[name] for row in rows], groups) for name in rows[0]},
        scores=current().put_json("judged", {"schema_version": 1, "by": by.model, "through": named, "scores": body}),
    )


def cases(scores: Artifact, questions: Artifact, chunks: Artifact) -> list[Case]:
    """The answered questions that have a reference, spread over all of them."""
    texts = {chunk.id: chunk.text for chunk in read_chunks(current().path(chunks))}
    asked = {question.id: question for question in read_questions(questions)[0]}
    told = [
        Case(
            id=row["id"],
            group=row["document"],
            question=row["asked"],
            answer=row["answer"],
            contexts=tuple(texts[name] for name in row["read"]),
            reference=asked[row["id"]].quote or asked[row["id"]].answer or "",
        )
        for row in current().read_json(scores)["questions"]
        if row["answerable"] and row["answered"]
    ]
    told = [case for case in told if case.reference]
    return [told[place * len(told) // MOST] for place in range(MOST)] if len(told) > MOST else told


def held(run: Callable[[], Judged]) -> tuple[Judged | None, list[Check]]:
    """What the judge said, and its check for the gate: a judge that was asked for and is not there, or has nothing to
    judge, fails the gate."""
    try:
        judged = run()
    except (BadInput, Unavailable) as error:
        return None, [Check(name="judge", number=None, bound="answers", ok=False, text=str(error))]
    told = ", ".join(f"{name} {value}" for name, value in judged.metrics.items())
    text = f"{judged.by} judged {judged.cases} answers: {told}."
    return judged, [Check(name="judge", number=judged.cases, bound="answers", ok=True, text=text)]


def _mlflow(told: list[Case], by: Judge) -> tuple[str, list[dict[str, float]]]:
    _reach(by)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = list(pool.map(partial(_judged, f"openai:/{by.model}"), told))
    return f"MLflow {version('mlflow')}", rows


def _judged(model: str, case: Case) -> dict[str, float]:
    """Faithful to the contexts, to the point, how much of the found is, and whether the found suffices."""
    from mlflow.genai.judges import is_context_relevant, is_context_sufficient

    found = [{"content": text} for text in case.contexts]
    ask = partial(_verdict, case.id)
    relevant = [
        ask(is_context_relevant, model=model, request=case.question, context={"content": text})
        for text in case.contexts
    ]
    return {
        "faithfulness": _faithful(model, case),
        "answer_relevance": ask(is_context_relevant, model=model, request=case.question, context=case.answer),
        "context_precision": sum(relevant) / len(relevant),
        "context_recall": ask(
            is_context_sufficient, model=model, request=case.question, context=found, expected_facts=[case.reference]
        ),
    }


def _verdict(case: str, judgement: Callable[..., Any], **what: Any) -> float:
    from mlflow.exceptions import MlflowException

    try:
        value = judgement(**what).value
    except (MlflowException, KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"The judge {what['model']} gave no verdict on question {case}: {error!r}.") from error
    if str(value) not in VERDICTS:
        raise Unavailable(f"The judge {what['model']} said {str(value)!r} on question {case}; it must say yes or no.")
    return VERDICTS[str(value)]


def _reach(by: Judge) -> None:
    """One short answer before all: MLflow alone would try a dead endpoint again for minutes."""
    from openai import OpenAI, OpenAIError

    try:
        client = OpenAI(max_retries=0, timeout=SECONDS)
        client.chat.completions.create(model=by.model, messages=[{"role": "user", "content": "yes or no?"}])
    except OpenAIError as error:
        raise Unavailable(
            f"The judge {by.model} cannot be reached: {error}. Look at OPENAI_BASE_URL and OPENAI_API_KEY."
        ) from error


def grounded(told: Sequence[Case], by: Judge) -> list[bool | None]:
    """Whether each answer says only what its contexts say, by MLflow's judge; None where that gave no verdict.

    Unavailable where the judge cannot be reached."""
    if not told:
        return []
    _reach(by)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(partial(_grounded, f"openai:/{by.model}"), told))


def _grounded(model: str, case: Case) -> bool | None:
    try:
        return bool(_faithful(model, case))
    except Unavailable:
        return None


def _faithful(model: str, case: Case) -> float:
    from mlflow.genai.judges import is_grounded

    found = [{"content": text} for text in case.contexts]
    return _verdict(case.id, is_grounded, model=model, request=case.question, response=case.answer, context=found)


def _ragas(told: list[Case], by: Judge) -> tuple[str, list[dict[str, float]]]:
    _environment(str(by.ragas))
    _reach(by)
    order = {
        "model": by.model,
        "embeddings": by.embeddings,
        "timeout": SECONDS,
        "cases": [
            {
                "user_input": case.question,
                "response": case.answer,
                "retrieved_contexts": list(case.contexts),
                "reference": case.reference,
            }
            for case in told
        ],
    }
    said = _child([str(by.ragas), str(ragas_child.__file__)], json.dumps(order), 60 + SECONDS * len(told))
    if len(said["scores"]) != len(told):
        raise Unavailable(f"RAGAS scored {len(said['scores'])} of {len(told)} answers; its judge is {by.model}.")
    return f"RAGAS {said['version']}", said["scores"]


def ragas_version(python: str) -> str:
    """The version of RAGAS in its environment."""
    _environment(python)
    code = "import importlib.metadata, json; print(json.dumps(importlib.metadata.version('ragas')))"
    return str(_child([python, "-c", code], "", 60))


def _environment(python: str) -> None:
    if not Path(python).is_file():
        raise Unavailable(
            f"There is no Python at {python} to run RAGAS with: make an environment with `ragas==0.4.3` and "
            "`langchain-community<0.4`, and name its Python; without it, MLflow's judges are used."
        )


def _child(command: list[str], order: str, limit: float) -> Any:
    try:
        done = subprocess.run(command, input=order, capture_output=True, text=True, timeout=limit, check=True)
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"RAGAS did not end within {limit:.0f} s; is its judge overloaded?") from None
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise Unavailable(f"RAGAS in {command[0]} failed: {last}") from error
    except json.JSONDecodeError as error:
        raise Unavailable(f"RAGAS in {command[0]} printed no scores: {error}.") from error
