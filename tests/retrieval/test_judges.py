import json
import os
import sys
from pathlib import Path

import pytest

from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput, Unavailable
from tasks.retrieval.golden import Question, settle
from tasks.retrieval.judges import MOST, Judge, cases, held, judge, ragas_version
from tests.retrieval.judge_server import Say, running
from tests.retrieval.pieces import chunk, put_chunks

QUOTE = "A late return costs two euros a day."
Material = tuple[Artifact, Artifact, Artifact]


@pytest.fixture
def material(store: Store) -> Material:
    return written(store, 4)


def written(store: Store, count: int) -> Material:
    """Scores, questions and chunks of answers that an index gave; the last question has another answer."""
    pieces = [chunk("rules.md", 0, QUOTE), chunk("rules.md", 1, "The garden has a pond.")]
    chunks = put_chunks(pieces)
    questions = tuple(
        Question(id=f"q{number}", question=f"Late {number}?", document="rules.md", quote=QUOTE)
        for number in range(count)
    )
    rows = [
        {
            "id": question.id,
            "question": question.question,
            "asked": f"{question.question} (fines)",
            "document": "rules.md",
            "answerable": True,
            "answered": True,
            "answer": "The garden has a pond." if question is questions[-1] else "It costs two euros a day.",
            "found": [],
            "read": [piece.id for piece in pieces],
        }
        for question in questions
    ]
    scores = store.put_json("scores", {"schema_version": 1, "questions": rows})
    return scores, settle(questions, chunks).artifact, chunks


def point(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "none")


def strict(message: str) -> str:
    """Says no wherever the pond alone is judged, as a judge would."""
    alone = "pond" in message and "euros a day" not in message
    about_answer = "<answer>The garden" in message
    return json.dumps({"rationale": "as it is", "result": "no" if alone or about_answer else "yes"})


def test_mlflows_judges_score_answers_and_contexts(monkeypatch: pytest.MonkeyPatch, material: Material) -> None:
    with running(strict) as url:
        point(monkeypatch, url)
        judged = judge(*material, Judge(model="strict"))
    values = {name: interval.value for name, interval in judged.metrics.items()}
    assert values == {
        "faithfulness": 0.75,
        "answer_relevance": 0.75,
        "context_precision": 0.5,
        "context_recall": 1.0,
    }
    assert judged.cases == 4 and judged.by.startswith("strict through MLflow 3.")
    told, checks = held(lambda: judged)
    assert told == judged and checks[0].ok and "judged 4 answers" in checks[0].text


@pytest.mark.parametrize(
    ("say", "told"),
    [
        (lambda _: "I would rather not.", "gave no verdict on question q"),
        (lambda _: '{"rationale": "no result"}', "gave no verdict on question q"),
        (lambda _: '{"result": "perhaps"}', "said 'unknown' on question q"),
        (lambda _: '{"result": null}', "gave no verdict|said 'None'"),
    ],
)
def test_a_judge_that_gives_no_verdict_fails_the_gate(
    monkeypatch: pytest.MonkeyPatch, material: Material, say: Say, told: str
) -> None:
    with running(say) as url:
        point(monkeypatch, url)
        with pytest.raises(Unavailable, match=told):
            judge(*material, Judge(model="odd"))
        told, checks = held(lambda: judge(*material, Judge(model="odd")))
    assert told is None and [check.ok for check in checks] == [False]


def test_a_dead_judge_fails_the_gate_at_once(monkeypatch: pytest.MonkeyPatch, material: Material) -> None:
    with running(strict) as url:
        pass
    point(monkeypatch, url)
    told, checks = held(lambda: judge(*material, Judge(model="dead")))
    assert told is None and not checks[0].ok and "OPENAI_BASE_URL" in checks[0].text


def test_without_a_key_the_sentence_names_it(monkeypatch: pytest.MonkeyPatch, material: Material) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(Unavailable, match="OPENAI_API_KEY"):
        judge(*material, Judge(model="any"))


def test_many_answers_are_sampled_and_one_is_too_few(store: Store) -> None:
    told = cases(*written(store, 100))
    assert len(told) == MOST and told[0].id == "q0" and told[-1].id == "q96"
    scores, questions, chunks = written(store, 2)
    first = store.put_json("scores", {"questions": store.read_json(scores)["questions"][:1]})
    with pytest.raises(BadInput, match="there are 1"):
        judge(first, questions, chunks, Judge(model="any"))
    judged, checks = held(lambda: judge(first, questions, chunks, Judge(model="any")))
    assert judged is None and not checks[0].ok and "there are 1" in checks[0].text


def test_a_missing_python_for_ragas_is_told(material: Material, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"There is no Python at .* make an environment with `ragas"):
        judge(*material, Judge(model="any", ragas=str(tmp_path / "python")))


def test_a_python_without_ragas_is_told(monkeypatch: pytest.MonkeyPatch, material: Material) -> None:
    with running(strict) as url:
        point(monkeypatch, url)
        with pytest.raises(Unavailable, match=r"RAGAS in .* failed: ModuleNotFoundError: No module named"):
            judge(*material, Judge(model="any", ragas=sys.executable))


def test_the_version_of_ragas_is_that_of_its_environment(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!{sys.executable}\nprint('\"0.4.3\"')\n")
    python.chmod(0o755)
    assert ragas_version(str(python)) == "0.4.3"
    for lacking in (sys.executable, str(tmp_path / "none")):
        with pytest.raises(Unavailable, match="RAGAS"):
            ragas_version(lacking)


def test_scores_that_are_no_numbers_fail(monkeypatch: pytest.MonkeyPatch, material: Material, tmp_path: Path) -> None:
    """A stand-in for RAGAS' environment that speaks its protocol: JSON in, JSON out, one score not a number."""
    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable}\nimport json, sys\ncases = json.load(sys.stdin)['cases']\n"
        "print(json.dumps({'version': '0', 'scores': [{'faithfulness': float('nan')} for _ in cases]}))\n"
    )
    python.chmod(0o755)
    with running(strict) as url:
        point(monkeypatch, url)
        with pytest.raises(Unavailable, match="gave no number for question q0: faithfulness = nan"):
            judge(*material, Judge(model="any", ragas=str(python)))


def ragas_says(message: str) -> str:
    """What RAGAS' prompts ask for, as told by the schema in each."""
    if "yes or no?" in message:
        return "yes"
    said = {
        "statements": [{"statement": "s", "reason": "r", "verdict": 1}] if '"verdict"' in message else ["s"],
        "classifications": [{"statement": "s", "reason": "r", "attributed": 1}],
        "reason": "r",
        "verdict": 1,
    }
    return json.dumps(said)


@pytest.mark.slow
def test_ragas_itself_scores(monkeypatch: pytest.MonkeyPatch, material: Material) -> None:
    python = os.environ.get("RAGAS_PYTHON")
    if python is None:
        pytest.skip("RAGAS needs an environment of its own: set RAGAS_PYTHON to its Python")
    with running(ragas_says) as url:
        point(monkeypatch, url)
        judged = judge(*material, Judge(model="any", ragas=python))
    assert judged.by.startswith("any through RAGAS 0.")
    assert {name: round(value.value, 6) for name, value in judged.metrics.items()} == {
        "faithfulness": 1.0,
        "context_precision": 1.0,
        "context_recall": 1.0,
    }
