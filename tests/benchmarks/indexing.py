"""A folder of documents to an index: all of it against the straightforward way, and a change against all of it."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from tasks import artifacts
from tasks.artifacts import Artifact
from tasks.documents.chunk_file import ChunkOptions
from tasks.documents.chunks import Chunks, chunk_corpus
from tasks.documents.corpus import scan
from tasks.documents.parse import parse_corpus
from tasks.documents.parsed import PageOptions
from tasks.documents.snapshots import take
from tasks.retrieval.building import build
from tasks.retrieval.vectors import embed_chunks
from tasks.sources.catalog import Dataset, FolderSource
from tests.benchmarks import by_hand
from tests.benchmarks.harness import Benchmark, Goal, Measure
from tests.benchmarks.material import Model, timed
from tests.documents.made import sentence

MEASURES = (Measure("wall", "s"), Measure("CPU", "s"))
DOCUMENTS, SECTIONS, SENTENCES = 2000, 2, 4
CHANGED = 0.01  # of the documents


def cut(folder: Path, weights: Artifact) -> Chunks:
    """The chunks of all documents in a folder, as a flow's steps make them; in the store that is open."""
    source = FolderSource(type="folder", path=str(folder))
    dataset = Dataset(name="benchmark", title="Documents", licence="none", source=source, contract="benchmark")
    parsed = parse_corpus(take(scan(dataset, {}), None).manifest, PageOptions())
    if parsed.problems:
        raise RuntimeError(f"{parsed.problems[0].document} could not be read: {parsed.problems[0].reason}")
    return chunk_corpus(parsed.artifact, weights, ChunkOptions())


def index(folder: Path, weights: Artifact) -> dict[str, float]:
    """Everything from the folder to a built index; times, chunks, and chunks that had to be embedded."""
    found: dict[str, float] = {}
    with timed(found):
        chunks = cut(folder, weights)
        vectors = embed_chunks(chunks.artifact, weights)
        build(chunks.artifact, vectors)
    return found | {"chunks": chunks.count, "embedded": vectors.embedded_now}


@contextmanager
def fresh(folder: Path, model: Model) -> Iterator[Artifact]:
    """Inside, a store that holds nothing but the weights is the one that is open."""
    with tempfile.TemporaryDirectory(dir=folder) as root, artifacts.opened(root) as store:
        weights = model.artifacts["fp32"]
        yield store.put_folder("weights", model.exported["fp32"], weights.meta)


class Whole:
    name = "penstock"

    def __init__(self, files: Path, model: Model, folder: Path, facts: dict[str, object]) -> None:
        self.files, self.model, self.folder, self.facts = files, model, folder, facts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def measure(self) -> dict[str, float]:
        with fresh(self.folder, self.model) as weights:
            found = index(self.files, weights)
        self.facts["our chunks"] = int(found["chunks"])
        return found


class ByHand(Whole):
    name = "by hand"

    def measure(self) -> dict[str, float]:
        found: dict[str, float] = {}
        with tempfile.TemporaryDirectory(dir=self.folder) as place, timed(found):
            pieces = by_hand.index(sorted(self.files.iterdir()), self.model.raw, Path(place))
        self.facts["windows by hand"] = pieces
        return found


class Changed:
    """Documents indexed once; each round writes some of them anew and indexes the folder again."""

    name = "1 % changed"

    def __init__(self, count: int, model: Model, folder: Path, facts: dict[str, object]) -> None:
        self.count, self.model, self.folder, self.facts, self.round = count, model, folder, facts, 0
        self.all: dict[str, float] = {}

    def __enter__(self) -> Self:
        self.files = self.folder / "changing"
        self.files.mkdir()
        self.write(range(self.count))
        with ExitStack() as stack:
            self.weights = stack.enter_context(fresh(self.folder, self.model))
            self.all = index(self.files, self.weights)
            self.open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.open.close()

    def measure(self) -> dict[str, float]:
        self.round += 1
        some = max(1, round(self.count * CHANGED))
        self.write(range((self.round - 1) * some, self.round * some))
        found = index(self.files, self.weights)
        self.facts |= {"documents": self.count, "chunks": int(found["chunks"]), "changed": int(found["embedded"])}
        return found

    def write(self, numbers: range) -> None:
        for number in numbers:
            (self.files / f"{number:05}.md").write_text(document(number, self.round))


class All:
    """What `Changed` took for everything: once, because it is long."""

    name = "all"

    def __init__(self, changed: Changed) -> None:
        self.changed = changed

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def measure(self) -> dict[str, float]:
        return self.changed.all


def document(number: int, version: int) -> str:
    """Short sections, each a chunk; no sentence stands in two documents or versions."""
    first = (version * 1_000_000 + number) * SECTIONS * SENTENCES
    lines = [f"# Report {number}"]
    for section in range(SECTIONS):
        start = first + section * SENTENCES
        text = " ".join(sentence(start + part) for part in range(SENTENCES))
        lines += [f"## Part {section + 1}", text]
    return "\n\n".join(lines) + "\n"


def whole(files: Mapping[str, bytes], model: Model, folder: Path, rounds: int) -> Benchmark:
    place = folder / "pdfs"
    place.mkdir()
    for name, data in files.items():
        (place / name).write_bytes(data)
    facts: dict[str, object] = {"files": len(files), "tables": "read by ours only"}
    subjects = [kind(place, model, folder, facts) for kind in (Whole, ByHand)]
    return Benchmark("index-whole", MEASURES, subjects, [], rounds, facts)


def change(count: int, model: Model, folder: Path, rounds: int) -> Benchmark:
    facts: dict[str, object] = {}
    changed = Changed(count, model, folder, facts)
    return Benchmark("index-change", MEASURES, [changed, All(changed)], [Goal("wall", "all", 0.05)], rounds, facts)
