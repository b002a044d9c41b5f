"""What the benchmarks of documents work on: PDFs, texts and models, made where they are not there."""

import ast
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tasks import artifacts, settings
from tasks.artifacts import Artifact
from tasks.documents.guides import render_markdown
from tasks.errors import Unavailable
from tasks.retrieval.weights import Precision
from tasks.settings import ROOT
from tasks.sources.catalog import load_dataset
from tasks.sources.fetch import fetch
from tests import minilm
from tests.documents.made import Known, report

REAL = Path(os.environ.get("PENSTOCK_TEST_DATA") or ROOT.parent / "shared" / "data") / "pdfs"
SHORT, LONG = 120, 700  # characters of a paragraph that is taken


@dataclass(frozen=True)
class Model:
    """The same weights as they are published (`raw`, a folder) and as we export them, folders by precision."""

    raw: Path
    exported: Mapping[str, Path]
    artifacts: Mapping[str, Artifact]


def kept() -> Path:
    """The store that outlives a run: weights, vectors and large indexes take minutes to make."""
    return settings.load().root / "benchmarks" / "store"


def all_minilm(folder: Path, *precisions: Precision) -> Model:
    """The real model, fetched and exported at the first call."""
    raw = folder / "raw-minilm"
    raw.mkdir()
    try:
        made = {str(precision): minilm.weights(kept(), precision) for precision in precisions}
    except pytest.skip.Exception as error:
        raise Unavailable(str(error)) from None
    with artifacts.opened(kept()) as store:
        for file in fetch(load_dataset("minilm", [ROOT / "data"]), {}).files:
            (raw / Path(file.part).name).symlink_to(store.path(file.artifact))
        return Model(raw, {name: store.path(artifact) for name, artifact in made.items()}, made)


def reports(pages: int = 20) -> dict[str, Known]:
    """Generated reports whose paragraphs are known."""
    return {"1 column": report(pages), "2 columns": report(pages, columns=2)}


def pdfs(known: dict[str, Known]) -> dict[str, bytes]:
    """All PDFs by name: the generated reports, the guides of the box rendered, and the real ones where they are."""
    found = {f"report, {name}.pdf": one.data for name, one in known.items()}
    for path in sorted((ROOT / "data/samples/course-guides").glob("*.md")):
        found[f"{path.stem}.pdf"] = render_markdown(path.read_text(), path.stem)
    return found | {path.name: path.read_bytes() for path in sorted(REAL.glob("*.pdf"))}


def paragraphs(most: int) -> list[str]:
    """Real English that every Python brings: paragraphs of the standard library's docstrings."""
    found: dict[str, None] = {}
    for path in sorted(Path(os.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                for part in (ast.get_docstring(node) or "").split("\n\n"):
                    text = " ".join(part.split())
                    if SHORT <= len(text) <= LONG:
                        found[text] = None
    return list(found)[:most]


@contextmanager
def timed(found: dict[str, float], what: str = "") -> Iterator[None]:
    """Adds wall time and CPU time, of this process and of the children it waited for, in seconds."""
    wall, cpu = time.perf_counter(), own_cpu()
    yield
    found |= {f"{what}wall": time.perf_counter() - wall, f"{what}CPU": own_cpu() - cpu}


def own_cpu() -> float:
    return sum(psutil.Process().cpu_times()[:4])
