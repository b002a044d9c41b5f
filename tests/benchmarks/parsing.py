"""PDFs to text: our reader against pdfplumber, in speed, and in paragraphs that come out as they were written."""

from collections.abc import Callable, Mapping
from typing import Self

from tasks.documents.parsed import PageOptions
from tasks.documents.parsers import parse_bytes
from tests.benchmarks import by_hand
from tests.benchmarks.harness import Benchmark, Goal, Measure
from tests.benchmarks.material import timed
from tests.documents.made import Known

RATES = {"pages/s": False, "pages/s with tables": True}
Text = Callable[[bytes, bool], str]


class Reader:
    """One process, one thread; `text` is asked for the same files with and without tables."""

    def __init__(self, name: str, text: Text, files: Mapping[str, bytes], known: Mapping[str, Known]) -> None:
        self.name, self.text, self.files, self.known = name, text, files, known
        self.lost: dict[str, float] = {}
        self.pages = sum(page_count(data) for data in files.values())

    def __enter__(self) -> Self:
        self.lost = {missed(name): lost(one, self.text(one.data, False)) for name, one in self.known.items()}
        return self

    def __exit__(self, *_: object) -> None: ...

    def measure(self) -> dict[str, float]:
        found = dict(self.lost)
        for name, tables in RATES.items():
            times: dict[str, float] = {}
            with timed(times):
                for data in self.files.values():
                    self.text(data, tables)
            found[name] = self.pages / times["wall"]
            found[costs(name)] = times["CPU"] / self.pages * 1000
        return found


def ours(data: bytes, tables: bool) -> str:
    return "\n".join(block.text for block in parse_bytes(data, "document.pdf", PageOptions(tables=tables)).blocks)


def page_count(data: bytes) -> int:
    import pymupdf

    with pymupdf.open("pdf", data) as document:
        return len(document)


def lost(known: Known, text: str) -> float:
    """Percent of the paragraphs that are not found exactly, whitespace ignored."""
    bare = "".join(text.split())
    gone = sum("".join(paragraph.split()) not in bare for paragraph in known.paragraphs)
    return 100 * gone / len(known.paragraphs)


def costs(rate: str) -> str:
    return rate.replace("pages/s", "CPU per page")


def missed(name: str) -> str:
    return f"paragraphs not exact, {name}"


def benchmark(files: Mapping[str, bytes], known: Mapping[str, Known], rounds: int) -> Benchmark:
    readers = [Reader("penstock", ours, files, known), Reader("pdfplumber", by_hand.plumbed, files, known)]
    measures = [Measure(name, "", "more") for name in RATES] + [Measure(costs(name), "ms") for name in RATES]
    measures += [Measure(missed(name), "%") for name in known]
    facts = {"files": len(files), "pages": readers[0].pages}
    return Benchmark("index-parsing", measures, readers, [Goal("pages/s", "pdfplumber", 10)], rounds, facts)
