"""What a language model proposes, before an endpoint that answers as it is told."""

import json
from collections.abc import Callable

import pytest

from tasks.artifacts import Artifact, Store
from tasks.documents.chunk_file import Chunk
from tasks.errors import BadInput, Unavailable
from tasks.language.chats import judged, learned
from tasks.language.examples import from_corpus
from tasks.language.options import ExampleOptions
from tasks.language.proposing import WORDINGS, Pair, propose, read_pairs
from tests.retrieval.judge_server import running
from tests.retrieval.pieces import chunk, put_chunks

TEXTS = ("The weir is painted green.", "The lock opens at nine.", "The ferry is free.")
CHUNKS = [chunk(f"{place}.md", 0, text, "River", "Guide") for place, text in enumerate(TEXTS)]


def asked(say: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, chunks: list[Chunk] = CHUNKS) -> Artifact:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with running(say) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        return propose(put_chunks(chunks), "some-model", 2, url)


def right(prompt: str) -> str:
    """One pair of the passage's last line, with talk around it."""
    passage = prompt.splitlines()[-1]
    pair = {"questions": [f"What of this: {passage}", f"And what of: {passage}"], "answer": f" {passage} "}
    return f"Certainly!\n```json\n{json.dumps([pair])}\n```\nIs there more?"


def test_pairs_are_kept_with_their_place(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts: list[str] = []

    def say(prompt: str) -> str:
        prompts.append(prompt)
        return right(prompt)

    made = asked(say, monkeypatch)
    pairs = read_pairs(made)
    assert [(pair.answer, pair.chunk) for pair in pairs] == [(one.text, one.id) for one in CHUNKS]
    assert made.meta == {"pairs": 3} and made.kind == "proposals"
    assert all("Write 2 different questions" in one and f"in {WORDINGS} different wordings" in one for one in prompts)
    assert any(one.endswith("Guide > River\nThe weir is painted green.") for one in prompts)


BAD = [
    "I cannot do that.",
    "",
    "]no[",
    '[{"questions": [], "answer": "a"}]',
    '[{"questions": ["a?"], "answer": " "}]',
    '[{"questions": [" "], "answer": "a"}]',
    '[{"questions": "a?", "answer": "a"}]',
    '[{"answer": "a"}]',
    '[{"questions": ["a?"], "answer": "cut sho',
    "[1, 2]",
]


@pytest.mark.parametrize("reply", BAD)
def test_a_reply_that_was_not_asked_for_is_left_out(store: Store, monkeypatch: pytest.MonkeyPatch, reply: str) -> None:
    made = asked(lambda prompt: reply if "lock" in prompt else right(prompt), monkeypatch)
    assert [pair.answer for pair in read_pairs(made)] == [TEXTS[0], TEXTS[2]]


def test_a_model_that_never_replies_as_asked_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="some-model replied to none of 3 passages with questions in JSON"):
        asked(lambda _prompt: "No.", monkeypatch)


def test_an_endpoint_that_is_down_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(right) as url:
        pass
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with pytest.raises(Unavailable, match=f"some-model at {url} cannot propose .*OPENAI_BASE_URL"):
        propose(put_chunks(CHUNKS[:1]), "some-model", 2, url)
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(Unavailable, match="OPENAI_API_KEY"):
        propose(put_chunks(CHUNKS[:1]), "some-model", 2, url)


def test_what_is_proposed_becomes_examples(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [chunk(f"{place}.md", 0, f"Item {place} costs {place} crowns.") for place in range(30)]
    made = from_corpus(put_chunks(pieces), ExampleOptions(), asked(right, monkeypatch, pieces))
    found = [one for one in (*learned(made.artifact), *judged(made.artifact)) if one.fact.startswith("What of this")]
    assert {one.part for one in found} == {"train", "valid", "held", "never"}
    assert {one.chunk for one in found} == {piece.id for piece in pieces}


def test_pairs_come_back_as_they_were_stored(store: Store) -> None:
    pair = Pair(questions=("a?", "b?"), answer="c", chunk="d")
    assert read_pairs(store.put_json("proposals", [pair.model_dump()])) == [pair]
