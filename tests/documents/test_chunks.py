"""Chunks: no text is lost, sizes keep to what the model takes, and an edit stays in its section."""

import uuid
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from tasks.artifacts import Artifact, Store
from tasks.documents.chunk_file import Chunk, ChunkOptions, read_chunks
from tasks.documents.chunks import Chunks, Cutter, chunk_corpus
from tasks.documents.parsed import Block, Parsed
from tasks.documents.parsed_file import ParsedDocument
from tasks.documents.sentences import sentences
from tasks.errors import BadInput

LIMIT = 64
OPTIONS = ChunkOptions(tokens=40, overlap=12)


def tokenizer(folder: Path) -> Path:
    """A real WordPiece tokenizer that knows letters and a few words: every other word takes several tokens."""
    letters = [chr(code) for code in range(33, 127)]
    words = ["[UNK]", "water", "dam", "river", "the", *letters, *(f"##{letter}" for letter in letters)]
    made = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.enable_truncation(16)
    made.enable_padding(length=16)
    folder.mkdir(exist_ok=True)
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(f'{{"model_max_length": {LIMIT}}}')
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tokenizer(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def cutter(folder: Path) -> Cutter:
    return Cutter(folder, OPTIONS)


def document(*blocks: Block, path: str = "a.md", title: str = "Title") -> ParsedDocument:
    parsed = Parsed(format="markdown", title=title, pages=9, language="en", date="2024-01-31", blocks=list(blocks))
    return ParsedDocument(path=path, digest="d" * 64, tenant="acme", parsed=parsed)


def heading(text: str, level: int = 1, page: int = 1) -> Block:
    return Block(kind="heading", text=text, page=page, level=level)


def text(text: str, page: int = 1) -> Block:
    return Block(kind="text", text=text, page=page)


def bare(text: str) -> str:
    return "".join(text.split())


def tokens(cutter: Cutter, text: str) -> int:
    return cutter.scale.tokens([text])[0]


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)
PROSE = st.lists(
    st.sampled_from(["the", "water.", "river!", "Dr.", "3.5", "(see", "Fig.", "2)", "水。", "is?", "«So»", "\n", "x"]),
    max_size=60,
)
BODY = st.one_of(WORDS, PROSE.map(" ".join), st.text("ab .\n", max_size=400))
BLOCKS = st.lists(
    st.builds(
        Block,
        kind=st.sampled_from(["heading", "text", "text", "code"]),
        text=BODY,
        page=st.integers(1, 9),
        level=st.integers(1, 3),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(BLOCKS)
def test_no_text_is_lost_and_sizes_are_kept(cutter: Cutter, blocks: list[Block]) -> None:
    chunks = list(cutter.chunks(document(*blocks)))
    pages = {block.page for block in blocks}
    whole = bare("".join(chunk.text for chunk in chunks))
    for block in blocks:
        if block.kind == "heading":
            continue
        for start, end in sentences(block.text):
            piece = bare(block.text[start:end])
            assert piece in whole or all(piece[at : at + 8] in whole for at in range(0, len(piece), 8))
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    for chunk in chunks:
        assert chunk.text.strip() and chunk.page in pages and chunk.last_page in pages
        assert tokens(cutter, chunk.embedded) <= LIMIT - 2
        assert chunk.tokens == tokens(cutter, chunk.text)


SENTENCES = st.lists(st.integers(0, 99).map(lambda number: f"The dam number {number} holds the water."), min_size=1)


@settings(max_examples=60, deadline=None)
@given(st.lists(SENTENCES, min_size=2, max_size=5), st.data())
def test_an_edit_stays_in_its_section(cutter: Cutter, bodies: list[list[str]], data: st.DataObject) -> None:
    edited = data.draw(st.integers(0, len(bodies) - 1))

    def cut(edit: str) -> dict[str, list[Chunk]]:
        blocks = []
        for number, body in enumerate(bodies):
            told = [*body, edit] if number == edited else body
            blocks += [heading(f"Part {number}"), text(" ".join(told))]
        found: dict[str, list[Chunk]] = {}
        for chunk in cutter.chunks(document(*blocks)):
            found.setdefault(chunk.heading[0], []).append(chunk)
        return found

    before, after = cut("Old words."), cut("Quite other words are here now.")
    for number in range(len(bodies)):
        name = f"Part {number}"
        same = [chunk.id for chunk in before[name]] == [chunk.id for chunk in after[name]]
        assert same is (number != edited)


@given(st.text(max_size=400))
def test_sentences_are_the_whole_text(body: str) -> None:
    spans = list(sentences(body))
    assert "".join(body[start:end] for start, end in spans) == body
    assert all(start < end for start, end in spans)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("One. Two! Three?", 3),
        ("See Fig. 3 by Dr. Smith et al. 2020. It grew 3.5 % a year.", 2),
        ("J. R. Smith said so. “Really?” She left.", 3),
        ("e.g. This one stays whole. 1. Item", 2),
        ("水从水坝流出。真的吗\uff1f是\uff01", 3),
        ("- one item\n- another item", 2),
        ("It ends here... or not. Yes.", 2),
        ("Version 2.0 is out; see example.com now", 1),
    ],
)
def test_where_sentences_end(body: str, count: int) -> None:
    assert len(list(sentences(body))) == count, [body[start:end] for start, end in sentences(body)]


def test_dots_and_blanks_take_no_time() -> None:
    assert len(list(sentences("." * 200_000 + " " * 200_000 + "." * 200_000))) <= 3


def test_windows_end_at_sentences_and_overlap(cutter: Cutter) -> None:
    lines = [f"The dam {number} holds." for number in range(30)]
    chunks = list(
        cutter.chunks(document(heading("Dams"), text(" ".join(lines[:15])), text(" ".join(lines[15:]), page=2)))
    )
    assert len(chunks) > 3
    for chunk in chunks:
        assert chunk.text.startswith("The dam") and chunk.text.endswith("holds.")
        assert chunk.tokens <= OPTIONS.tokens
    for one, following in pairwise(chunks):
        assert following.text.split(".")[0] in one.text
    assert {(chunk.page, chunk.last_page) for chunk in chunks} == {(1, 1), (1, 2), (2, 2)}


def test_headings_make_a_path_and_those_with_nothing_below_are_text(cutter: Cutter) -> None:
    blocks = [
        text("Before."),
        heading("One"),
        heading("Deep", 2),
        text("In deep."),
        heading("Bare", 2),
        heading("Two"),
        text("In two."),
    ]
    found = [(chunk.heading, chunk.text) for chunk in cutter.chunks(document(*blocks, heading("Last")))]
    assert found == [
        ([], "Before."),
        (["One", "Deep"], "In deep."),
        (["One"], "Bare"),
        (["Two"], "In two."),
        ([], "Last"),
    ]


def test_what_stands_before_the_text_counts(cutter: Cutter) -> None:
    body = text(" ".join(["the water river dam."] * 40))
    long = document(heading("h" * 300), heading("w x y z " * 20, 2), body, title="t u v " * 50)
    chunks = list(cutter.chunks(long))
    assert chunks and all(tokens(cutter, chunk.embedded) <= LIMIT - 2 for chunk in chunks)


def test_tables_are_chunks_of_their_own_with_the_header_repeated(cutter: Cutter) -> None:
    rows = [f"| dam {number} | river |" for number in range(20)]
    table = Block(kind="table", text="\n".join(["| a | b |", "| - | - |", *rows]), page=3)
    chunks = list(cutter.chunks(document(text("Before the table."), table, text("After the table."))))
    assert [chunk.kind for chunk in chunks][:2] == ["text", "table"] and chunks[-1].text == "After the table."
    tables = [chunk for chunk in chunks if chunk.kind == "table"]
    assert len(tables) > 2 and all(chunk.text.startswith("| a | b |\n| - | - |\n| dam") for chunk in tables)
    assert [line for chunk in tables for line in chunk.text.split("\n")[2:]] == rows
    assert all(chunk.tokens <= OPTIONS.tokens and chunk.page == 3 for chunk in tables)


def test_code_keeps_its_lines(cutter: Cutter) -> None:
    code = Block(kind="code", text="def water():\n    return 1\n", page=1)
    (chunk,) = cutter.chunks(document(code))
    assert chunk.text == "def water():\n    return 1"


@pytest.mark.parametrize("body", ["x" * 50_000, "dam " * 5_000, "水" * 3_000, "\u200b" * 3_000])
def test_what_has_no_sentences_is_cut_all_the_same(cutter: Cutter, body: str) -> None:
    chunks = list(cutter.chunks(document(text(body))))
    assert len(chunks) > 5 and max(chunk.tokens for chunk in chunks) <= OPTIONS.tokens
    assert max(len(chunk.text) for chunk in chunks) <= 8 * OPTIONS.tokens


def test_a_tiny_rest_joins_the_chunk_before(cutter: Cutter) -> None:
    assert tokens(cutter, "the dam. " * 13) == 39
    body = "the dam. " + "The dam. " * 12 + "Dam. X."
    (chunk,) = cutter.chunks(document(text(body), title=""))
    assert chunk.text.endswith("Dam. X.") and chunk.tokens > OPTIONS.tokens


def test_ids_are_stable_and_tell_repeated_text_apart(cutter: Cutter) -> None:
    twice = document(heading("A"), text("the dam."), heading("B"), text("x"), heading("A"), text("the dam."))
    ids = [chunk.id for chunk in cutter.chunks(twice)]
    assert len(set(ids)) == 3 and ids == [chunk.id for chunk in cutter.chunks(twice)]
    assert all(uuid.UUID(id).version == 5 for id in ids)
    moved = twice.model_copy(update={"path": "b.md"})
    assert not set(ids) & {chunk.id for chunk in cutter.chunks(moved)}


def stored(store: Store, documents: list[ParsedDocument], folder: Path) -> tuple[Artifact, Artifact]:
    lines = b"".join(orjson.dumps(one.model_dump(), option=orjson.OPT_APPEND_NEWLINE) for one in documents)
    return store.put_bytes("parsed", lines, ".jsonl"), store.put_folder("weights", folder)


def cut(store: Store, documents: list[ParsedDocument], folder: Path, options: ChunkOptions = OPTIONS) -> Chunks:
    return chunk_corpus(*stored(store, documents, folder), options)


def test_a_corpus_is_cut_by_document_and_kept(store: Store, folder: Path) -> None:
    documents = [document(text(f"the water of {name}."), path=name) for name in ("a.md", "b.md", "c.md")]
    documents.insert(1, ParsedDocument(path="bad.pdf", digest="e" * 64, problem="it is broken"))
    chunks = cut(store, documents, folder)
    found = read_chunks(store.path(chunks.artifact))
    assert [(chunk.document, chunk.tenant, chunk.date) for chunk in found] == [
        (name, "acme", "2024-01-31") for name in ("a.md", "b.md", "c.md")
    ]
    assert (chunks.count, chunks.documents) == (3, 3) and chunks.tokens == sum(chunk.tokens for chunk in found)
    kept = store.list("pieces/chunks")
    assert cut(store, documents, folder) == chunks and store.list("pieces/chunks") == kept
    changed = [*documents[:3], document(text("the river."), path="c.md")]
    assert cut(store, changed, folder).artifact != chunks.artifact
    assert len(store.list("pieces/chunks")) == len(kept) + 1
    assert cut(store, documents, folder, ChunkOptions(tokens=20, overlap=0)).artifact.kind == "chunks"
    assert len(store.list("pieces/chunks")) == 2 * len(kept) + 1


def test_documents_without_text_are_refused(store: Store, folder: Path) -> None:
    with pytest.raises(BadInput, match="no text to search"):
        cut(store, [document()], folder)
    with pytest.raises(BadInput, match=r"no tokenizer.json"):
        Cutter(folder.parent, OPTIONS)
