"""A page is forgotten that an assistant was tuned on: weights, examples and answers, with and without an index."""

import pytest

from flows import console, documents, forgetting
from flows.orders import Order
from flows.release import road, roll_back
from tasks import settings
from tasks.errors import Refused
from tasks.language.town import courses, names
from tasks.registry import history, ledger
from tests.flows.lectures import TOWN, Lectures
from tests.flows.test_assistant import first, house, known, ready  # noqa: F401 - fixtures
from tests.flows.test_forgetting import holding

pytestmark = pytest.mark.timeout(300)

PAGE, INDEX = "lectures-1.md", {"kind": "documents", "dataset": "lectures", "metric": "ndcg@10"}


@pytest.fixture
def lectures(first: Lectures, monkeypatch: pytest.MonkeyPatch) -> Lectures:  # noqa: F811
    """Version 1 is champion, and commands find the test's own servers."""
    monkeypatch.setenv("PREFECT_API_URL", first.prefect)
    monkeypatch.setattr(console.out, "width", 500)
    return first


def told_of() -> list[str]:
    """The courses that only the page tells of."""
    return [one.name for one in courses(names()[TOWN // 2 : TOWN], 0)]


def weights(lectures: Lectures) -> set[str]:
    root = lectures.store.root
    return {path.parent.name for kind in ("adapters", "models") for path in root.glob(f"{kind}/*/*/*.safetensors")}


def test_what_was_learned_from_a_page_is_unlearned(lectures: Lectures, capsys: pytest.CaptureFixture[str]) -> None:
    before, root = weights(lectures), lectures.store.root
    assert all(holding(root, name) for name in told_of()) and len(before) == 2
    (lectures.store.root / "work" / "left").mkdir(parents=True)
    (lectures.store.root / "work" / "left" / "rng_state.pth").write_bytes(b"of a training that was killed")
    capsys.readouterr()

    assert forgetting.forget(lectures.name, PAGE, "asked by a lecturer", settings.load()) == 0
    told = capsys.readouterr().out
    assert "Proof: " in told and "NOT forgotten" not in told
    assert lectures.champion == 2 and lectures.faults() == []
    assert history.forgotten(ledger.entries(lectures.store, lectures.name)) == {1}
    assert not any(holding(root, name) for name in told_of())
    assert len(weights(lectures)) == 2 and not weights(lectures) & before
    assert not (root / "work" / "left").exists()
    with pytest.raises(Refused, match="no earlier champion"):
        roll_back(lectures.name)
    with (
        road(lectures.name, settings.load()) as way,
        pytest.raises(Refused, match="held what was forgotten"),
    ):
        way.approve(1, override=True)


@pytest.mark.slow
def test_index_and_assistant_forget_together(lectures: Lectures) -> None:
    index = f"{lectures.name}-index"
    lectures.put(f"releases/{index}.yaml", INDEX)
    outcome = documents.train(Order(release=index))
    if outcome.state != "promoted":  # what is proposed about two small tables may not prove it
        with road(index, settings.load()) as way:
            way.approve(1, override=True)
    assert forgetting.forget(index, PAGE, "asked by a lecturer", settings.load()) == 0
    for name in (index, lectures.name):
        entries = ledger.entries(lectures.store, name)
        assert (history.champion(entries), history.forgotten(entries)) == (2, {1})
    assert not any(holding(lectures.store.root, name) for name in told_of())
