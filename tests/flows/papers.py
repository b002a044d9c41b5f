"""A project with a folder of documents: the papers of a town library, and what became of its trainings."""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prefect import flow
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

from flows import documents
from flows.documents_order import Papers
from flows.orders import Order, prepare
from tasks import settings
from tasks.artifacts import Artifact, opened
from tasks.caching import records, stored
from tasks.documents import snapshots, uploads
from tasks.documents.guides import render_markdown
from tasks.documents.manifest import Changes
from tasks.retrieval.answers import Ask
from tasks.retrieval.served import Served, read_release
from tasks.settings import ROOT
from tests import minilm
from tests.flows.conftest import House
from tests.retrieval.library import PAPERS, QUESTIONS

numbers = itertools.count(1)

PDFS = ("archive", "events")  # given as PDF, the others as Markdown
RECIPE = {
    "kind": "documents",
    "dataset": "papers",
    "golden": "papers",
    "floors": {"recall@5": 0.7, "ndcg@10": 0.6},
    "chunks": {"tokens": 120, "overlap": 20},
}


def texts() -> dict[str, str]:
    """The papers as Markdown, by name."""
    return {
        name.removesuffix(".md"): f"# {title}\n\n" + "\n\n".join(f"## {head}\n\n{text}" for head, text in parts.items())
        for name, (title, parts) in PAPERS.items()
    }


def golden(**changed: str) -> list[dict[str, Any]]:
    """The questions as their file has them; `changed` are quotes by question."""
    said = []
    for question in QUESTIONS:
        one = question.model_dump(exclude_defaults=True)
        if (name := str(question.document).removesuffix(".md")) in PDFS:
            one["document"] = f"{name}.pdf"
        said.append(one | ({"quote": changed[question.id]} if question.id in changed else {}))
    return said


@dataclass
class Shelf(House):
    """A house whose dataset is a folder of documents."""

    flow = documents

    def furnish(self) -> None:
        self.project.mkdir(parents=True, exist_ok=True)
        self.put("datasets/papers.yaml", {"title": "Papers", "licence": "CC0-1.0", "source": self.source()})
        self.ask(golden())
        self.recipe()
        for name, text in texts().items():
            self.write_paper(name, text)

    def source(self, **fields: Any) -> dict[str, Any]:
        return {"type": "folder", "path": "papers"} | fields

    def recipe(self, **fields: Any) -> None:
        self.put(f"releases/{self.name}.yaml", RECIPE | fields)

    def ask(self, questions: list[dict[str, Any]]) -> None:
        self.put("golden/papers.yaml", {"questions": questions})

    def put(self, name: str, value: Any) -> None:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(value))

    def write_paper(self, name: str, text: str) -> None:
        """A paper in the form that it has."""
        if name in PDFS:
            self.paper(f"{name}.pdf").write_bytes(render_markdown(text, name))
        else:
            self.paper(f"{name}.md").write_text(text)

    def paper(self, name: str) -> Path:
        path = self.project / "papers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        text = texts()[name]
        assert text.count(old) == 1
        self.write_paper(name, text.replace(old, new))

    def made(self, task: str, **order: Any) -> Any:
        """What a step of the last run returned."""
        (step,) = [one for one in self.receipt(**order).steps if one.task == f"tasks.{task}"]
        return stored(records() / step.key)

    @property
    def changes(self) -> list[Changes]:
        """Of each snapshot in the one before."""
        with opened(self.store.root):
            return [one.changes for one in snapshots.history("papers")]

    def uploaded(self, name: str, data: bytes, tenant: str = "") -> str:
        return uploads.add(self.store, "papers", name, data, tenant).id

    def upload(self, id: str) -> uploads.Upload:
        return uploads.find(self.store, "papers", id, None)

    def served_index(self, version: int) -> Artifact:
        return read_release(self.store.path(self.versions[version - 1].folder)).index

    @contextmanager
    def served(self, version: int) -> Iterator[Served]:
        """A version as a service loads it."""
        folder = self.store.path(self.versions[version - 1].folder)
        served = Served.load(folder, self.store.path)
        try:
            yield served
        finally:
            served.close()

    def answered(self, version: int, question: str) -> tuple[str, list[str]]:
        """The answer, and the documents that it cites."""
        with self.served(version) as served:
            said = served.ask(Ask(question=question))
        return said.answer, [citation.document for citation in said.citations]


def primed(cache: Path, weights_root: Path) -> Path:
    """A data root that already has the model and all that is made of the untouched papers; kept between sessions.

    Its results are found by their keys, so that an edited step makes them again here, once."""
    minilm.weights(weights_root)  # skips where there is none
    for kept in ("raw", "sources/remote"):
        shutil.copytree(weights_root / kept, cache / "store" / kept, dirs_exist_ok=True)
    house = Shelf(cache / "project", "primed", "", "")
    house.furnish()
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: cache / "records"}):
        prime(
            Order(release="primed"), settings.load().model_copy(update={"project": house.project, "data_root": cache})
        )
    return cache


@flow(name="prime")
def prime(order: Order, own: settings.Settings) -> None:
    with opened(own.store):
        prepared = prepare(order, own)
        assert isinstance(prepared, Papers)
        documents.make(prepared, own)


def moved_in(root: Path, prepared: Path) -> None:
    """What `primed` made, in another data root: files of a store are replaced and never written to, so links do."""
    for kept in ("store", "records"):
        shutil.copytree(prepared / kept, root / kept, copy_function=linked)
    for forgotten in ("snapshots", "receipts"):
        shutil.rmtree(root / "store" / forgotten, ignore_errors=True)


def linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def environment(house: House, root: Path) -> dict[str, str]:
    """What a child needs to work in the same house."""
    return os.environ | {
        "PENSTOCK_PROJECT": str(house.project),
        "PENSTOCK_DATA_ROOT": str(root),
        "PREFECT_API_URL": house.prefect,
        "MLFLOW_TRACKING_URI": house.mlflow,
        "PYTHONPATH": str(ROOT),
    }
