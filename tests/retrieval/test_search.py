"""The searcher: one question in, hits with a score and a cosine out."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput, Refused
from tasks.retrieval.answers import WIDER, Answerer, Ask
from tasks.retrieval.building import build, build_index
from tasks.retrieval.edge import EdgeIndex
from tasks.retrieval.embedding import Embedder
from tasks.retrieval.openai_chat import Spent
from tasks.retrieval.search import Searcher, keep_cross_encoder
from tasks.retrieval.specs import SearchOptions
from tasks.retrieval.store import Filters, Hit
from tasks.retrieval.vectors import embed_chunks
from tests.retrieval import tiny

CHUNKS = tiny.chunks(80)


@pytest.fixture
def index(store: Store, tiny_weights: Artifact) -> EdgeIndex:
    chunks = tiny.put_chunks(CHUNKS)
    return EdgeIndex(store.path(build(chunks, embed_chunks(chunks, tiny_weights))))


def test_hits_have_a_score_and_a_cosine(index: EdgeIndex, embedder: Embedder) -> None:
    searcher = Searcher(index, embedder, SearchOptions())
    for chunk in CHUNKS[:10]:
        hits = searcher.search(chunk.text)
        assert len(hits) == 5 and hits[0].chunk == chunk and hits[0].cosine > 0.99
        for hit in hits:
            cosine = np.dot(embedder.query(chunk.text), embedder.query(hit.chunk.embedded))
            np.testing.assert_allclose(hit.cosine, cosine, atol=1e-5)


def test_how_many_and_for_whom(index: EdgeIndex, embedder: Embedder) -> None:
    searcher = Searcher(index, embedder, SearchOptions(top_k=3))
    assert len(searcher.search("amak boren")) == 3
    seen = searcher.search("amak boren", 40, Filters(tenants=("north",)))
    assert len(seen) == len([chunk for chunk in CHUNKS if chunk.tenant == "north"]) < 40
    assert {hit.chunk.tenant for hit in seen} == {"north"}
    assert searcher.search("amak boren", 40, Filters(tenants=())) == []


def test_odd_questions(index: EdgeIndex, embedder: Embedder) -> None:
    searcher = Searcher(index, embedder, SearchOptions())
    for empty in ("", " \n\t"):
        with pytest.raises(BadInput, match="question is empty"):
            searcher.search(empty)
    for odd in ("?", "amak " * 20_000, "\0\ud7ff🙂", "the of and", "x" * 50_000):
        assert len(searcher.search(odd)) == 5


def test_an_index_of_another_model_is_refused(store: Store, embedder: Embedder) -> None:
    index = EdgeIndex(store.path(build_index(CHUNKS, tiny.unit(80), "f" * 64, 1000)))
    with pytest.raises(Refused, match="made with the model ffffffffffff"):
        Searcher(index, embedder, SearchOptions())


class Named:
    """A generator that remembers what it was given."""

    hits: list[str]

    def standalone(self, question: str, turns: Sequence[tuple[str, str]], spent: Spent) -> str:
        return question

    def answer(self, question: str, hits: Sequence[Hit], spent: Spent) -> Iterator[str]:
        self.hits = [hit.chunk.id for hit in hits]
        yield "So it is [1]."


def write_counter(folder: Path, tokenizer: Path) -> None:
    """A cross-encoder that scores a pair by its number of tokens, so that its order is known."""
    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "config.json"):
        (folder / name).write_bytes((tokenizer / name).read_bytes())
    names = ("input_ids", "attention_mask")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in names]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    nodes = [
        helper.make_node("Cast", ["attention_mask"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["float", "axes"], ["logits"], keepdims=1),
    ]
    graph = helper.make_graph(nodes, "counter", inputs, [output], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")


def test_a_cross_encoder_has_the_last_word(
    index: EdgeIndex, embedder: Embedder, tmp_path: Path, tiny_folder: Path
) -> None:
    write_counter(tmp_path / "cross", tiny_folder)
    cross = tmp_path / "cross"
    for searcher in (Searcher(index, embedder, SearchOptions(), cross) for _ in range(2)):
        plain = Searcher(index, embedder, SearchOptions()).search("amak boren", 20)
        read = searcher.search("amak boren", 4)
        longest = sorted(plain, key=lambda hit: -hit.chunk.tokens)[:4]
        assert [hit.chunk.tokens for hit in read] == [hit.chunk.tokens for hit in longest]
        assert [hit.score for hit in read] == [hit.chunk.tokens + 5 for hit in read]
        assert {hit.chunk.id: hit.cosine for hit in plain}[read[0].chunk.id] == read[0].cosine


def test_a_missing_cross_encoder_is_told(store: Store, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="There is no cross-encoder in"):
        keep_cross_encoder(str(tmp_path / "none"))


def test_nobody_sorts_again_what_a_cross_encoder_has_read(
    index: EdgeIndex, embedder: Embedder, tmp_path: Path, tiny_folder: Path
) -> None:
    write_counter(tmp_path / "cross", tiny_folder)
    searcher = Searcher(index, embedder, SearchOptions(top_k=4), tmp_path / "cross")
    generator = Named()
    Answerer(searcher, generator, threshold=0.0).ask(Ask(question="amak boren"))
    assert generator.hits == [hit.chunk.id for hit in searcher.search("amak boren", WIDER)[:4]]
