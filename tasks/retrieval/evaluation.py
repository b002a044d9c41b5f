"""What an index is worth: every question asked as a user would, its rank, its answer, and whether it knew its limits.

The answer scores are extractive (words found, documents cited): a judge, where there is one, reads the answers."""

from collections import Counter
from collections.abc import Callable
from contextlib import closing

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Artifact, current
from tasks.retrieval.answerable import DEFAULT_THRESHOLD, fit_threshold
from tasks.retrieval.answers import Answerer, Ask, Message
from tasks.retrieval.edge import EdgeIndex
from tasks.retrieval.golden import Question, read_questions, words
from tasks.retrieval.metrics import DEPTH, mean, rank_of, ranking
from tasks.retrieval.served import Release, Served, cited, read_release
from tasks.retrieval.specs import METRICS, AnswerOptions, SearchOptions
from tasks.statistics import Interval

ENOUGH = 5  # questions of each sort that a threshold is fitted to
FOLDS = 5


class Row(BaseModel):
    """One question: `rank` of its place, `found` chunks and `cited` documents best first, and what was answered.

    `asked` is the question as it stands alone, `read` the chunks that its answer was written from; `expected` are the
    words of a right answer; `confidence`, from 0 to 1, is what is held against a threshold."""

    model_config = ConfigDict(frozen=True)

    id: str
    question: str
    asked: str
    document: str | None
    expected: str | None
    answerable: bool
    rank: int | None
    confidence: float
    answered: bool
    answer: str
    found: tuple[str, ...]
    read: tuple[str, ...]
    cited: tuple[str, ...]

    @property
    def group(self) -> str:
        return self.document or self.id


class Evaluation(BaseModel):
    """Metrics over the questions, all of them better when higher; `fitted` says whether the threshold was."""

    model_config = ConfigDict(frozen=True)

    metrics: dict[str, Interval]
    scores: Artifact
    threshold: float
    fitted: bool
    proposed: bool
    questions: int
    unanswerable: int


def evaluate(
    index: Artifact,
    weights: Artifact,
    questions: Artifact,
    search: SearchOptions,
    answers: AnswerOptions,
    rerank: Artifact | None = None,
    endpoint: str = "",
) -> Evaluation:
    """Ask an index all questions. The threshold is the recipe's, or fitted to a person's questions, or the default.

    `endpoint`, the address of the language model, is there to be in the key: another server is asked anew."""
    asked, proposed = read_questions(questions)
    store, bare = current(), answers.model_copy(update={"threshold": 0.0})
    parts = Release(release="", index=index, weights=weights, rerank=rerank, search=search, answers=bare)
    with closing(Served.over(EdgeIndex(store.path(index)), parts, store.path)) as served:
        said = [_row(served.answerer, question) for question in asked]
    count = Counter(row.answerable for row in said)
    fitted = answers.threshold is None and not proposed and min(count[True], count[False]) >= ENOUGH
    threshold = _fitted(said) if fitted else DEFAULT_THRESHOLD if answers.threshold is None else answers.threshold
    bounds = _held_out(said) if fitted else [threshold] * len(said)
    rows = [_bounded(row, bound) for row, bound in zip(said, bounds, strict=True)]
    body = {"schema_version": 1, "threshold": threshold, "questions": [row.model_dump(mode="json") for row in rows]}
    return Evaluation(
        metrics=measures(rows),
        scores=store.put_json("scores", body),
        threshold=threshold,
        fitted=fitted,
        proposed=proposed,
        questions=len(rows),
        unanswerable=count[False],
    )


def evaluate_release(release: Artifact, questions: Artifact, endpoint: str = "") -> Evaluation:
    """An earlier version on these questions, with its own index, model, prompt and threshold."""
    made = read_release(current().path(release))
    answers = made.answers.model_copy(update={"threshold": made.bound})
    return evaluate(made.index, made.weights, questions, made.search, answers, made.rerank, endpoint)


def read_rows(scores: Artifact) -> list[Row]:
    return [Row.model_validate(row) for row in current().read_json(scores)["questions"]]


def measures(rows: list[Row]) -> dict[str, Interval]:
    """Ranking over the answerable questions; then the shares that were `answered`, and rightly `refused`, the mean
    share of expected words in an answer, and of citations that name the right document."""
    place = [row for row in rows if row.answerable]
    ranked = {row.id: ranking(row.rank) for row in place}
    told = {name: mean([ranked[row.id][name] for row in place], _groups(place)) for name in METRICS}
    parts: dict[str, tuple[list[Row], Callable[[Row], float]]] = {
        "answered": (place, lambda row: float(row.answered)),
        "refused": ([row for row in rows if not row.answerable], lambda row: float(not row.answered)),
        "answer_words": ([row for row in place if row.expected], answer_words),
        "citation_precision": ([row for row in place if row.cited], citation_precision),
    }
    more = {name: (list(map(value, some)), _groups(some)) for name, (some, value) in parts.items() if len(some) > 1}
    return told | {name: mean(values, groups) for name, (values, groups) in more.items()}


def answer_words(row: Row) -> float:
    """The share of the expected words that stand in the answer."""
    wanted, said = set(words(row.expected or "")), set(words(row.answer))
    return len(wanted & said) / len(wanted) if wanted else 0.0


def citation_precision(row: Row) -> float:
    """The share of the cited documents that is the question's own."""
    return sum(name == row.document for name in row.cited) / len(row.cited) if row.cited else 0.0


def request_of(question: Question) -> Ask:
    """The question as a service gets it: alone, or as the last of the user's messages."""
    if not question.follows:
        return Ask(question=question.question)
    said = [*question.follows, question.question]
    return Ask(messages=tuple(Message(role="user", content=text) for text in said))


def _row(answerer: Answerer, question: Question) -> Row:
    """Everything but whether it is answered, which the threshold says."""
    said = answerer.ask(request_of(question))
    searcher = answerer.searcher
    hits = searcher.search(said.asked, max(DEPTH, searcher.options.top_k))
    return Row(
        id=question.id,
        question=question.question,
        asked=said.asked,
        document=question.document,
        expected=question.answer,
        answerable=question.answerable,
        rank=rank_of(question, [hit.chunk for hit in hits]) if question.answerable else None,
        confidence=said.confidence,
        answered=said.answered,
        answer=said.answer,
        found=tuple(hit.chunk.id for hit in hits[: searcher.options.top_k]),
        read=said.read,
        cited=tuple(cited(said)),
    )


def _bounded(row: Row, bound: float) -> Row:
    if row.answered and row.confidence >= bound:
        return row
    return row.model_copy(update={"answered": False, "answer": "", "cited": ()})


def _fitted(rows: list[Row]) -> float:
    parts = [[row.confidence for row in rows if row.answerable is sort] for sort in (True, False)]
    return fit_threshold(*parts)


def _held_out(rows: list[Row]) -> list[float]:
    """For each question a bound that was fitted without it, or the scores would praise what they were fitted to."""
    seen: Counter[bool] = Counter()
    folds = []
    for row in rows:
        folds.append(seen[row.answerable] % FOLDS)
        seen[row.answerable] += 1
    bounds = [_fitted([row for row, of in zip(rows, folds, strict=True) if of != fold]) for fold in range(FOLDS)]
    return [bounds[fold] for fold in folds]


def _groups(rows: list[Row]) -> list[str]:
    return [row.group for row in rows]
