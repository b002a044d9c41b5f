"""The embedded index: the same bytes each time, never changed by its readers, refused when it is not what it says."""

import json
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tasks.artifacts import Artifact, Store
from tasks.errors import BadInput, Refused
from tasks.retrieval.building import build, build_index
from tasks.retrieval.edge import EdgeIndex
from tasks.retrieval.packing import pack, unpack
from tasks.retrieval.points import average_length, language_of
from tasks.retrieval.store import Filters
from tasks.retrieval.vectors import embed_chunks
from tests.retrieval import tiny

ALL = Filters()
READ = """
import os, sys, tempfile
from pathlib import Path
from tasks.retrieval.edge import EdgeIndex
from tasks.retrieval.store import Filters
index = EdgeIndex(Path(sys.argv[1]))
print(*[hit.chunk.id for hit in index.search(None, "amak boren", Filters(), 5, 100)])
assert os.listdir(tempfile.gettempdir()) == []
"""


def stamps(folder: Path) -> dict[str, tuple[int, int, int]]:
    found = {path: path.stat() for path in [folder, *folder.rglob("*")]}
    return {str(path): (stat.st_size, stat.st_mtime_ns, stat.st_ino) for path, stat in found.items()}


def made(count: int, graph_above: int = 1000, seed: int = 0) -> Artifact:
    return build_index(tiny.chunks(count, seed), tiny.unit(count), "model", graph_above)


def test_chunks_with_the_same_words_come_in_one_order(store: Store) -> None:
    texts = [text for text in ("amak boren", "boren cidal", "cidal dovun") for _ in range(4)]
    chunks = [tiny.chunk(number, text) for number, text in enumerate(texts)]
    vectors = np.repeat(tiny.unit(3), 4, axis=0)
    index = EdgeIndex(store.path(build_index(chunks, vectors, "model", 1000)))
    orders = {
        tuple(hit.chunk.id for hit in index.search(vectors[0], "amak boren", ALL, limit, 100))
        for _ in range(30)
        for limit in (6, 7)
    }
    index.close()
    six, seven = sorted(orders, key=len)
    assert seven[:6] == six and list(six[:4]) == sorted(six[:4])


def test_the_same_chunks_give_the_same_index(store: Store, tiny_weights: Artifact) -> None:
    chunks = tiny.put_chunks(tiny.chunks(60))
    vectors = embed_chunks(chunks, tiny_weights)
    first, second = build(chunks, vectors), build(chunks, vectors)
    assert first == second and first.kind == "indexes"
    facts = json.loads((store.path(first) / "index.json").read_text())
    assert facts == first.meta and (facts["count"], facts["dim"], facts["model"]) == (60, 32, tiny_weights.digest)
    with pytest.raises(Refused, match="other chunks"):
        build(tiny.put_chunks(tiny.chunks(60, seed=1)), vectors)


def test_readers_share_an_index_and_leave_it_as_it_is(store: Store, tmp_path: Path) -> None:
    folder = store.path(made(60))
    before = stamps(folder)
    first, second = EdgeIndex(folder), EdgeIndex(folder)
    (tmp_path / "scratch").mkdir()
    surroundings = os.environ | {"PYTHONPATH": ".", "TMPDIR": str(tmp_path / "scratch")}
    read = [sys.executable, "-c", READ, str(folder)]
    third = subprocess.run(read, capture_output=True, text=True, check=True, env=surroundings)
    ours = [[hit.chunk.id for hit in index.search(None, "amak boren", ALL, 5, 100)] for index in (first, second)]
    first.close()
    assert ours[0] == ours[1] == third.stdout.split() and len(ours[0]) == 5
    assert second.count(ALL) == 60 and stamps(folder) == before


def test_a_small_index_is_small_in_the_store_and_opened(store: Store, tmp_path: Path) -> None:
    folder = store.path(made(100))
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000
    unpack(folder / "shard.zip", tmp_path / "copy")
    stats = [path.stat() for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    assert sum(stat.st_size for stat in stats) > 50_000_000 > 2_000_000 > sum(512 * stat.st_blocks for stat in stats)


def test_packing_gives_back_every_byte(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    zeros = bytes(1 << 16)
    bodies = {"a": b"", "deep/b": zeros * 3, "deep/c": b"x" + zeros * 2 + b"y", "d": zeros + b"z" + bytes(70_000)}
    for name, body in bodies.items():
        (source / name).write_bytes(body)
    pack(source, tmp_path / "one.zip")
    unpack(tmp_path / "one.zip", tmp_path / "target")
    assert {name: (tmp_path / "target" / name).read_bytes() for name in bodies} == bodies
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../outside", b"x")
    with pytest.raises(BadInput, match="points outside"):
        unpack(tmp_path / "evil.zip", tmp_path / "target")


def test_an_altered_index_is_refused(store: Store) -> None:
    folder = store.path(made(20))
    whole = (folder / "shard.zip").read_bytes()
    (folder / "shard.zip").write_bytes(whole[:-1] + b"x")
    with pytest.raises(Refused, match="was altered"):
        EdgeIndex(folder)
    (folder / "shard.zip").write_bytes(whole)
    facts = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps(facts | {"count": 19}))
    with pytest.raises(Refused, match="20 of 19 points"):
        EdgeIndex(folder)
    (folder / "index.json").unlink()
    with pytest.raises(BadInput, match="holds no index"):
        EdgeIndex(folder)


def test_vectors_that_do_not_fit_are_refused(store: Store) -> None:
    chunks, vectors = tiny.chunks(10), tiny.unit(10)
    index = EdgeIndex(store.path(build_index(chunks, vectors, "model", 1000)))
    for wrong, told in (
        (np.full(32, np.nan, np.float32), "not finite"),
        (tiny.unit(1, 31)[0], "31 numbers do not fit"),
    ):
        with pytest.raises(BadInput, match=told):
            index.search(wrong, "amak", ALL, 5, 100)
    vectors[3, 7] = np.inf
    with pytest.raises(BadInput, match="not finite"):
        build_index(chunks, vectors, "model", 1000)
    with pytest.raises(BadInput, match="10 chunks, 9 vectors"):
        build_index(chunks, tiny.unit(9), "model", 1000)
    with pytest.raises(BadInput, match="got 0 chunks"):
        build_index([], tiny.unit(0), "model", 1000)
    with pytest.raises(BadInput, match="1 of 11 chunks share their id"):
        build_index([*chunks, chunks[0]], tiny.unit(11), "model", 1000)


def test_a_graph_finds_what_exact_search_finds(store: Store) -> None:
    centres = np.repeat(tiny.unit(60, seed=1), 20, axis=0)
    vectors = centres + 0.1 * tiny.unit(1200)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chunks = tiny.chunks(1200)
    folders = [store.path(build_index(chunks, vectors, "m", above)) for above in (5000, 1000)]
    names = [" ".join(zipfile.ZipFile(folder / "shard.zip").namelist()) for folder in folders]
    assert ["graph" in listed for listed in names] == [False, True]
    exact, graph = map(EdgeIndex, folders)
    assert graph.facts.graph and not exact.facts.graph
    same = 0
    for query in tiny.unit(60, seed=1):
        same += len({*_ids(exact, query)} & {*_ids(graph, query)})
    assert same / 600 > 0.95


def _ids(index: EdgeIndex, query: np.ndarray) -> list[str]:
    return [hit.chunk.id for hit in index.search(query, None, ALL, 10, 100)]


def test_threads_get_their_own_answers(store: Store) -> None:
    vectors = tiny.unit(300)
    chunks = tiny.chunks(300)
    index = EdgeIndex(store.path(build_index(chunks, vectors, "m", 1000)))
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda n: index.search(vectors[n], chunks[n].text, ALL, 3, 50)[0].chunk, range(300))
    assert list(found) == chunks


def test_stop_words_follow_the_language_of_the_corpus(store: Store) -> None:
    texts = ["der Hund und die Katze", "das Haus und der Garten", "viele Hunde laufen"]
    german = [tiny.chunk(n, text, language="de") for n, text in enumerate(texts)]
    assert [language_of(some) for some in (german, [german[0], tiny.chunk(9, "a", language="en")], [])] == [
        "german",
        "english",
        "english",
    ]
    index = EdgeIndex(store.path(build_index(german, tiny.unit(3), "m", 1000)))
    assert {hit.chunk.number for hit in index.search(None, "Hund", ALL, 5, 100)} == {0, 2}
    assert index.search(None, "und der", ALL, 5, 100) == []
    assert average_length(["the cat and the cat runs", "dogs"], "english") == 2.0
