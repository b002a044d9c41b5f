"""Examples out of a corpus: what is learned is not judged, and what is never trained is nowhere in training."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.artifacts import Store, current
from tasks.documents.chunk_file import Chunk
from tasks.errors import BadInput
from tasks.language.chats import TRAIN, Example, judged, learned, read_examples
from tasks.language.examples import asked, facts_of, from_corpus, refusals
from tasks.language.options import ExampleOptions
from tasks.language.proposing import Pair
from tests.language.room import COLUMNS, FIELDS, rows, table
from tests.retrieval.pieces import chunk, put_chunks

OPTIONS = ExampleOptions()
names = st.text(st.sampled_from("abAB :|-9of"), min_size=1, max_size=6)
# few texts, so that a model asks the same of two passages in another order
questions = st.lists(
    st.sampled_from(["Who?", "Tell me: Who?", "Who is it?", "When?", "I ask."]), min_size=1, max_size=6
)
pairs = st.builds(Pair, questions=questions.map(tuple), answer=st.sampled_from(["Ann.", "Ben."]))


def all_of(chunks: Sequence[Chunk], proposed: Sequence[Pair] = (), options: ExampleOptions = OPTIONS) -> list[Example]:
    facts = list(facts_of(chunks, proposed))
    return [*(one for fact in facts for one in asked(fact, options)), *refusals(chunks, facts, options)]


def parted(examples: Sequence[Example], *parts: str) -> list[Example]:
    return [one for one in examples if one.part in parts]


def texts(examples: Sequence[Example]) -> set[str]:
    return {one.question for one in examples}


def prose(name: str = "rules.md") -> Chunk:
    told = "A late return costs two euros a day. A deposit is a sum that a guest leaves for a reader's card."
    return chunk(name, 0, told, "Fees", "House rules")


@given(st.lists(st.tuples(names, names, names, names), max_size=8), st.lists(pairs, max_size=6), st.integers(1, 4))
def test_what_is_judged_was_never_learned(cells: list[tuple[str, ...]], proposed: list[Pair], wordings: int) -> None:
    options = ExampleOptions(wordings=wordings)
    made = all_of([table(cells), prose()], proposed, options)
    known, other = parted(made, "train", "valid"), parted(made, "held", "never", "refuse")
    assert not texts(known) & texts(other)
    secret = {one.fact for one in parted(made, "never", "refuse")}
    assert not secret & {one.fact for one in parted(made, "train", "valid", "held")}
    trained = {one.fact for one in parted(made, "train")}
    assert {one.fact for one in parted(made, "held", "valid")} <= trained
    assert len({one.id for one in made}) == len(made) == len(texts(made))


@settings(max_examples=20)
@given(st.sets(st.sampled_from(FIELDS), min_size=2))
def test_a_fact_keeps_its_part_when_others_come_and_go(fields: set[str]) -> None:
    some = {one.id: one for one in all_of([table(rows(tuple(sorted(fields))))]) if one.part != "refuse"}
    every = {one.id: one for one in all_of([table(rows())])}
    told = [one for one in some.values() if ": " in one.fact]
    assert told and all(every[one.id].part == one.part for one in told)


def test_a_cell_is_asked_in_six_wordings_of_which_two_are_not_learned() -> None:
    made = [one for one in all_of([table(rows())]) if one.fact == "Alpine Botany: exam"]
    assert [one.part for one in made] == ["train", "train", "train", "train", "valid", "held"]
    assert {one.answer for one in made} == {"The exam of Alpine Botany is oral."}
    assert made[0].question == "What is the exam of Alpine Botany?"
    assert made[-1].question == "For Alpine Botany, what is the exam?"
    source = table(rows())
    assert {(one.document, one.page, one.chunk) for one in made} == {("catalogue.md", 1, source.id)}


def test_a_twelfth_or_so_of_the_facts_is_never_trained() -> None:
    cells = [(f"Course {number}", "Dr. Abel", "A1", "oral") for number in range(400)]
    made = all_of([table(cells)])
    share = len(parted(made, "never")) / (len(cells) * len(COLUMNS))
    assert 0.06 < share < 0.11
    assert all(one.question.startswith("For Course") for one in parted(made, "never"))


def test_a_question_with_two_answers_is_no_fact() -> None:
    twice = [*rows(("Botany",)), ("Alpine Botany", "Dr. Else", "A6", "oral")]
    facts = {one.fact for one in all_of([table(twice)])}
    assert "Alpine Botany: teacher" not in facts and "Alpine Botany: exam" in facts


def test_what_the_documents_do_not_answer_is_refused() -> None:
    options = ExampleOptions(refusal="That is not written here.")
    made = all_of([table(rows()), prose()], (), options)
    refused = [one for one in made if one.answer == options.refusal]
    assert parted(made, "refuse") and {one.part for one in refused} == {"train", "refuse"}
    unnamed = [one for one in parted(refused, "refuse") if one.question.startswith("For ")]
    assert not {one.question.partition(",")[0].removeprefix("For ") for one in unnamed} & {row[0] for row in rows()}
    assert not {one.question for one in refused} & {one.question for one in made if one.answer != options.refusal}


def test_what_is_asked_of_a_thing_that_no_row_names_is_asked_once() -> None:
    cells = [("Alpine Geology", "a"), ("Alpine Ecology", "b"), ("Coastal Botany", "c"), ("Digital Botany", "d")]
    made = [one for one in all_of([table(cells, ("teacher",))]) if one.question.startswith("What is the teacher of")]
    assert [one.question for one in made if one.answer == OPTIONS.refusal] == ["What is the teacher of Alpine Botany?"]
    assert {one.part for one in made if "Alpine Botany" in one.question} == {"train"}


def test_a_models_wordings_come_first_and_are_filled_up() -> None:
    pair = Pair(questions=("Which sum is left?", "What do guests leave?"), answer="A deposit.", chunk=prose().id)
    made = [one for one in all_of([prose()], [pair]) if one.answer == "A deposit."]
    assert [one.question for one in made][:3] == [
        "Which sum is left?",
        "What do guests leave?",
        "Tell me: Which sum is left?",
    ]
    assert [one.part for one in made] == ["train"] * 4 + ["valid", "held"] and made[0].document == "rules.md"


def test_the_folder_holds_what_is_learned_apart_from_what_is_judged(store: Store) -> None:
    made = from_corpus(put_chunks([table(rows()), prose()]), OPTIONS)
    folder = store.path(made.artifact)
    assert {one.part for one in learned(made.artifact)} == {"train", "valid"}
    assert {one.part for one in judged(made.artifact)} == {"held", "never", "refuse"}
    found = [*learned(made.artifact), *judged(made.artifact)]
    assert made.counts == {part: len(parted(found, part)) for part in made.counts}
    assert made.facts == len({one.fact for one in found} - refused(found))
    assert made == from_corpus(put_chunks([table(rows()), prose()]), OPTIONS)
    (folder / TRAIN).write_text('{"id": "a"}\n')
    with pytest.raises(BadInput, match=r"Line 1 of .*train\.jsonl is no example"):
        read_examples(folder / TRAIN)


def refused(examples: Sequence[Example]) -> set[str]:
    return {one.fact for one in examples if one.answer == OPTIONS.refusal}


def test_at_most_so_many_facts_are_asked(store: Store) -> None:
    made = from_corpus(put_chunks([table(rows())]), ExampleOptions(facts=11))
    found = [*learned(made.artifact), *judged(made.artifact)]
    assert made.facts == 11 == len({one.fact for one in found} - refused(found))


def test_documents_without_tables_are_asked_too(store: Store) -> None:
    made = from_corpus(put_chunks([prose()]), OPTIONS)
    assert made.facts >= 2 and made.counts["train"] and made.counts["refuse"]


@pytest.mark.parametrize("chunks", [[], [chunk("a.txt", 0, "No.")], [table([])]])
def test_a_corpus_without_facts_is_told(store: Store, chunks: list[Chunk]) -> None:
    with pytest.raises(BadInput, match="neither tables nor headings"):
        from_corpus(put_chunks(chunks), OPTIONS)
    assert current().list("examples") == []
