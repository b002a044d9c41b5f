"""Whether live answers say what the passages say that they were written from: a judge reads a sample of the log."""

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, Store, canonical, sha256
from tasks.documents.chunk_file import read_chunks
from tasks.errors import NotFound
from tasks.registry import records
from tasks.registry.rest import Mlflow
from tasks.retrieval.judges import Case, Judge, grounded
from tasks.statistics import Interval, wilson
from tasks.watching.assessments import attach, of_judge
from tasks.watching.log import Record

NAME = "faithfulness"
MOST = 30  # answers: a judge is slow and costs

Texts = Callable[[str], Mapping[str, str]]  # of a version: chunk id to text; NotFound where there are none any more


class Judgement(BaseModel):
    """The judge's word on one answer."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    request_id: str
    version: str
    faithful: bool


class Faithfulness(BaseModel):
    """The share of faithful answers of those judged, None where there are none; `left_out` of the sample, and why."""

    model_config = ConfigDict(frozen=True)

    by: str
    score: Interval | None
    judged: tuple[Judgement, ...]
    left_out: dict[str, int]


def faithfulness(log: Iterable[Record], texts: Texts, by: Judge, most: int = MOST) -> Faithfulness:
    """Of at most so many answers of a documents release, drawn by their request ids: a rerun draws the same.

    The interval is Wilson's. Unavailable where the judge cannot be reached at all."""
    sample = heapq.nsmallest(most, (one for one in log if answered(one)), key=_place)
    told = [(record, case_of(record, texts)) for record in sample]
    cases = [(record, case) for record, case in told if isinstance(case, Case)]
    verdicts = grounded([case for _, case in cases], by)
    judged = tuple(
        Judgement(tenant=one.tenant, request_id=one.request_id, version=one.version, faithful=verdict)
        for (one, _), verdict in zip(cases, verdicts, strict=True)
        if verdict is not None
    )
    left_out = Counter(why for _, why in told if isinstance(why, str))
    left_out["the judge gave no verdict"] = verdicts.count(None)
    score = wilson(sum(one.faithful for one in judged), len(judged)) if judged else None
    return Faithfulness(by=by.model, score=score, judged=judged, left_out=dict(+left_out))


def tell_traces(mlflow: Mlflow, found: Faithfulness) -> None:
    """Attach each verdict to the trace of its answer, where that was traced."""
    for one in found.judged:
        attach(mlflow, one.tenant, one.request_id, of_judge(NAME, one.faithful, found.by))


def answered(record: Record) -> bool:
    told = record.output if isinstance(record.output, dict) else {}
    return record.kind == "prediction" and told.get("answered") is True


def case_of(record: Record, texts: Texts) -> Case | str:
    """What the judge is asked, or why it cannot be."""
    told = record.output
    if not told.keys() >= {"asked", "answer", "read"}:
        return "its text is not in the log"
    try:
        known = texts(record.version)
        contexts = tuple(known[name] for name in told["read"])
    except (NotFound, KeyError):
        return "the passages that it was written from are gone"
    return Case(
        id=record.request_id, group="", question=told["asked"], answer=told["answer"], contexts=contexts, reference=""
    )


def texts_in(store: Store, release: str) -> Texts:
    """The chunks of the versions of a release, as the store has them."""

    @cache
    def texts(version: str) -> Mapping[str, str]:
        if not version.isdigit():
            raise NotFound(f"Version {version} of {release} was not registered, so the store has no chunks of it.")
        folder = store.path(records.version(store, release, int(version)).folder)
        chunks = Artifact.model_validate(json.loads((folder / "release.json").read_bytes())["chunks"])
        return {chunk.id: chunk.text for chunk in read_chunks(store.path(chunks))}

    return texts


def _place(record: Record) -> str:
    return sha256(canonical([record.tenant, record.request_id]))
