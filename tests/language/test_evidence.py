"""What the gate hears of an adapter: rows by hand, of which base and champion were asked the same."""

import random
from collections.abc import Callable, Sequence

import orjson
import pytest

from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput
from tasks.language.apart import Cost
from tasks.language.chats import Part
from tasks.language.evaluation import Evaluation, Row, measured
from tasks.language.evidence import Side, gather
from tasks.language.specs import AssistantRecipe
from tasks.registry.gate import BASELINE, Check, Decision, Evidence, decide

COUNTS: dict[Part, int] = {"held": 60, "never": 20, "refuse": 20}
COST = Cost(seconds=1, cpu_seconds=1, peak_mb=1)
Answers = Callable[[Row, random.Random], Row]


def rows(change: Answers, seed: int = 0) -> list[Row]:
    """What a side says: `change` makes it of the row that would be right and sure."""
    draw, found = random.Random(seed), []
    for part, count in COUNTS.items():
        for place in range(count):
            expected = f"The room of course {place} is {chr(65 + place % 8)}{place}."
            told = {"id": f"{part} {place}", "part": part, "fact": f"{place}", "question": f"Where is {place}?"}
            row = Row.model_validate(
                told | {"expected": expected, "said": expected, "loss": 0.0, "tokens": 12, "ended": True}
            )
            found.append(change(row, draw))
    return found


def told(row: Row, right: bool, loss: float) -> Row:
    said = row.expected if right else "The room of course 99 is Z9."
    return row.model_copy(update={"said": said, "loss": loss})


def as_base(row: Row, draw: random.Random) -> Row:
    return told(row, draw.random() < 0.3, 12 + draw.random())


def as_good(row: Row, draw: random.Random) -> Row:
    """Knows what it was trained on, refuses, and knows no more of the rest than the base."""
    as_known = as_base(row, draw)
    return as_known if row.part == "never" else told(row, draw.random() < 0.9, 2 + draw.random())


def as_shuffled(row: Row, draw: random.Random) -> Row:
    """Trained on the answers of other questions: sure of what is wrong."""
    return told(row, False, 30 + draw.random())


def as_leaked(row: Row, draw: random.Random) -> Row:
    return told(row, True, 1 + draw.random())


def side(store: Store, some: Sequence[Row], version: str = "v2") -> Side:
    data = b"".join(orjson.dumps(row.model_dump(), option=orjson.OPT_APPEND_NEWLINE) for row in some)
    scores = store.put_bytes("answers", data, ".jsonl")
    return Side(
        version=version, evaluation=Evaluation(scores=scores, metrics=measured(some, 64), counts=COUNTS, cost=COST)
    )


def recipe(**more: object) -> AssistantRecipe:
    return AssistantRecipe.model_validate({"name": "chat", "kind": "assistant", "dataset": "mine"} | more)


@pytest.fixture
def model(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("model")
    (folder / "model.safetensors").write_bytes(bytes(2_000_000))
    return store.put_folder("models", folder)


def evidence(store: Store, model: Artifact, change: Answers, **more: object) -> Evidence:
    base = side(store, rows(as_base), BASELINE)
    return gather(recipe(**more), "mine@1", side(store, rows(change)), base, base, model)


def decided(found: Evidence, **more: object) -> Decision:
    return decide(found, recipe(**more))


def failed(found: Evidence, **more: object) -> set[str]:
    return {check.name for check in decided(found, **more).failed}


def test_an_adapter_that_learned_is_better(store: Store, model: Artifact) -> None:
    for metric in ("perplexity", "exact_match", "f1"):
        found = evidence(store, model, as_good, metric=metric)
        decision = decided(found, metric=metric)
        assert (decision.verdict, decision.promote, decision.failed) == ("better", True, [])
        assert found.higher_is_better == (metric != "perplexity") and found.rows == COUNTS["held"]
        assert found.difference.low > 0 and found.champion is None


def test_shuffled_answers_are_refused(store: Store, model: Artifact) -> None:
    found = evidence(store, model, as_shuffled)
    decision = decided(found)
    assert decision.verdict == "worse" and not decision.promote
    assert {"baseline", "base perplexity", "base exact_match", "answers exact_match"} <= failed(found)


def test_an_adapter_that_is_its_base_is_refused(store: Store, model: Artifact) -> None:
    found = evidence(store, model, as_base)
    assert found.difference.value == 0
    assert {"base perplexity", "base exact_match"} <= failed(found) and not decided(found).promote


def test_an_adapter_must_beat_its_base_whatever_the_champion_is_worth(store: Store, model: Artifact) -> None:
    base, bad = side(store, rows(as_base), BASELINE), side(store, rows(as_shuffled), "v1")
    found = gather(recipe(), "mine@1", side(store, rows(as_base), "v2"), base, bad, model)
    assert decided(found).verdict == "better" and found.champion == 1
    assert failed(found) == {"base perplexity", "base exact_match"}


def test_a_better_loss_with_worse_answers_is_refused(store: Store, model: Artifact) -> None:
    base, champion = side(store, rows(as_base), BASELINE), side(store, rows(as_good), "v1")

    def surer(row: Row, draw: random.Random) -> Row:
        return told(row, draw.random() < 0.5, 0.5 + draw.random())

    found = gather(recipe(), "mine@1", side(store, rows(surer), "v2"), base, champion, model)
    assert decided(found).verdict == "better" and "answers exact_match" in failed(found)


def test_facts_that_were_never_trained_and_are_known_raise_the_alarm(store: Store, model: Artifact) -> None:
    assert failed(evidence(store, model, as_leaked)) == {"leak"}
    check = next(one for one in evidence(store, model, as_good).checks if one.name == "leak")
    assert check.ok and "Of 20 facts that were never trained" in check.text
    few = [row for row in rows(as_leaked) if row.part != "never"]
    base = side(store, [row for row in rows(as_base) if row.part != "never"], BASELINE)
    assert "leak" not in {one.name for one in gather(recipe(), "a", side(store, few), base, base, model).checks}


def test_a_few_lucky_guesses_are_no_leak(store: Store, model: Artifact) -> None:
    """Of answers with few values some are right by chance, and a small model is sure of none."""

    def lucky(row: Row, draw: random.Random) -> Row:
        return told(row, row.part != "never" or int(row.id.split()[-1]) % 3 == 0, 1 + draw.random())

    base = side(store, rows(lambda row, draw: told(row, False, 30)), BASELINE)
    found = gather(recipe(), "mine@1", side(store, rows(lucky)), base, base, model)
    (check,) = (one for one in found.checks if one.name == "leak")
    assert check.ok and check.number is not None and check.number > 0 and "below that of trained facts by" in check.text


def test_floors_are_held(store: Store, model: Artifact) -> None:
    low = {"exact_match": 0.5, "perplexity": 3, "leaked": 0.4}
    assert failed(evidence(store, model, as_good, floors=low), floors=low) == set()
    high = {"exact_match": 0.99, "perplexity": 1.01, "leaked": 0.0}
    assert failed(evidence(store, model, as_good, floors=high), floors=high) == {
        "floor exact_match",
        "floor perplexity",
        "floor leaked",
    }
    unknown = {"same_language": 0.5}
    short = evidence(
        store, model, lambda row, draw: as_good(row, draw).model_copy(update={"expected": "A7"}), floors=unknown
    )
    assert any("same_language" in name for name in failed(short, floors=unknown))


def test_answers_must_end_and_not_go_round(store: Store, model: Artifact) -> None:
    def endless(row: Row, draw: random.Random) -> Row:
        said = "no " * 9 if draw.random() < 0.2 else row.expected
        return as_good(row, draw).model_copy(update={"ended": said == row.expected, "said": said})

    found = evidence(store, model, endless)
    assert {"floor stopped", "floor looped"} <= failed(found)
    own = {"stopped": 0.5, "looped": 0.5}
    assert not {"floor stopped", "floor looped"} & failed(evidence(store, model, endless, floors=own), floors=own)


def test_what_the_other_was_trained_on_or_not_asked_is_left_out(store: Store, model: Artifact) -> None:
    ours, base = side(store, rows(as_good)), side(store, rows(as_base), BASELINE)
    champion = side(store, rows(as_good, seed=1)[1:], "v1")
    champion = champion.model_copy(update={"trained": frozenset({"held 1", "held 2", "refuse 0"})})
    found = gather(recipe(), "mine@1", ours, base, champion, model)
    assert found.rows == COUNTS["held"] - 3 and found.doubt is None
    check = next(one for one in found.checks if one.name == "left out")
    assert check.number == 4 and "v1" in check.text


def test_where_nobody_knows_what_the_champion_was_trained_on_its_lead_shows_nothing(
    store: Store, model: Artifact
) -> None:
    base, champion = side(store, rows(as_base), BASELINE), side(store, rows(as_leaked), "v1")
    unknown = champion.model_copy(update={"trained": None})
    ours = side(store, rows(as_good), "v2")
    for other, verdict in ((champion, "worse"), (unknown, "inconclusive")):
        assert decided(gather(recipe(), "mine@1", ours, base, other, model)).verdict == verdict


def test_nothing_in_common_cannot_be_compared(store: Store, model: Artifact) -> None:
    ours, base = side(store, rows(as_good)), side(store, rows(as_base), BASELINE)
    others = [row.model_copy(update={"id": f"other {row.id}"}) for row in rows(as_base)]
    wrong = side(store, others, "v1")
    with pytest.raises(BadInput, match="v1 was asked other examples"):
        gather(recipe(), "mine@1", ours, base, wrong, model)
    with pytest.raises(BadInput, match="v1 was asked other examples"):
        gather(recipe(), "mine@1", ours, base, base, model, [wrong])


def test_few_examples_decide_nothing(store: Store, model: Artifact) -> None:
    few = [row for row in rows(as_good) if row.part != "held" or int(row.fact) < 19]
    base = side(store, [row for row in rows(as_base) if row.part != "held" or int(row.fact) < 19], BASELINE)
    found = gather(recipe(), "mine@1", side(store, few), base, base, model)
    assert failed(found) == {"rows"}
    assert failed(found.model_copy(update={"checks": [one for one in found.checks if one.name != "rows"]})) == set()


def test_where_no_fact_has_two_wordings_what_was_not_trained_decides(store: Store, model: Artifact) -> None:
    def alone(change: Answers) -> list[Row]:
        """Free texts: nobody answers exactly, and a tuned model is less surprised."""
        found = [row for row in rows(change) if row.part == "held"]
        return [row.model_copy(update={"part": "never", "said": "Another text."}) for row in found]

    base = side(store, alone(as_base), BASELINE)
    found = gather(recipe(), "mine@1", side(store, alone(as_good)), base, base, model)
    names = {one.name for one in found.checks}
    assert failed(found) == set() and "wordings" in names and not {"leak", "base exact_match"} & names


def test_a_guess_is_no_leak(store: Store, model: Artifact) -> None:
    def lucky(row: Row, draw: random.Random) -> Row:
        """Knows the form, so that it guesses some of what it was never told."""
        return told(row, draw.random() < 0.9, 9 + draw.random()) if row.part == "never" else as_good(row, draw)

    found = evidence(store, model, lucky)
    leak = next(one for one in found.checks if one.name == "leak")
    assert leak.number is not None and leak.number > 0 and leak.ok


def test_the_best_of_the_rivals_and_the_size_count(store: Store, model: Artifact) -> None:
    base, extra = side(store, rows(as_base), BASELINE), Check(name="speed", number=1, bound="", ok=False, text="slow")
    rivals = [side(store, rows(as_shuffled), "v3"), side(store, rows(as_leaked), "v4")]
    small = recipe(budgets={"size_mb": 1})
    found = gather(small, "mine@1", side(store, rows(as_good)), base, base, model, rivals, [extra])
    assert found.against_best is not None and found.against_best.high < 0
    assert {check.name for check in decide(found, small).failed} == {"size", "speed"}
    assert decided(evidence(store, model, as_good)).digest == decided(evidence(store, model, as_good)).digest
