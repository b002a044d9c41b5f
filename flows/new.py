"""`penstock new`: catalog entry, recipe and whatever else a release of one's own needs, written for review."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from flows import console
from flows.orders import recipe_of
from tasks.artifacts import Artifact, Store, store_at
from tasks.errors import BadInput, Refused
from tasks.registry import history, ledger, records
from tasks.registry.recipes import NAME, release_names
from tasks.settings import Settings
from tasks.sources.yamls import put_text


def tabular(name: str, path: Path, target: str, settings: Settings) -> None:
    from tasks.tables.inference import infer

    check_name(name, settings)
    proposal = infer(path, name, target)
    files = {"datasets": proposal.dataset, "contracts": proposal.contract, "releases": proposal.recipe}
    write(name, files, proposal.assumptions, settings)


def creative(name: str, path: Path, target: str, settings: Settings) -> None:
    from tasks.creative.inference import infer

    check_name(name, settings)
    proposal = infer(path, name, target)
    files = {"datasets": proposal.dataset, "contracts": proposal.contract, "releases": proposal.recipe}
    write(name, files, proposal.assumptions, settings)


def documents(name: str, folder: Path, settings: Settings) -> None:
    from tasks.documents.inference import infer

    check_name(name, settings)
    proposal = infer(folder, name)
    refuse_unreadable(folder)
    write(name, {"datasets": proposal.dataset, "releases": proposal.recipe}, proposal.assumptions, settings)


def assistant(name: str, path: Path, settings: Settings) -> None:
    from tasks.language.inference import infer

    check_name(name, settings)
    proposal = infer(path, name)
    if path.is_dir():
        refuse_unreadable(path)
    write(name, {"datasets": proposal.dataset, "releases": proposal.recipe}, proposal.assumptions, settings)


def sample(name: str, rows: int, seed: int, to: Path | None) -> None:
    """Made-up rows as CSV, in a file or printed."""
    from tasks.sources.bundled import GENERATORS, csv_of

    if name not in GENERATORS:
        raise BadInput(f"Nothing makes up {name!r}; there are: {', '.join(GENERATORS)}.")
    text = csv_of(GENERATORS[name](rows, seed)).decode()
    if to is None:
        console.out.out(text, end="", highlight=False)
    else:
        put_text(to, text)
        console.out.print(f"wrote {to}: {rows} rows")


def refuse_unreadable(folder: Path) -> None:
    """A folder none of whose files can be a document by its first bytes would fail in `train` only."""
    from tasks.sources.catalog import FolderSource
    from tasks.sources.folders import look, shown

    found = look(FolderSource(type="folder", path=str(folder))).files
    if not any(may_be_document(Path(one.place)) for one in found):
        raise BadInput(
            f"No file in {folder}{f' (say, {shown(found[0].path)})' if found else ''} is a document by its first "
            "bytes: export them again as PDF, Markdown, HTML or text, or name another folder."
        )


def may_be_document(path: Path) -> bool:
    """As the readers decide, from the head of the file alone."""
    from tasks.documents.parsers import HEAD, KNOWN, WIDE

    with path.open("rb") as file:
        head = file.read(HEAD)
    if b"%PDF-" in head:
        return True
    foreign = path.suffix.lower() == ".pdf" or any(head.startswith(mark) for mark, _ in KNOWN)
    return bool(head) and not foreign and (b"\0" not in head or head.startswith(WIDE))


def questions(name: str, settings: Settings) -> None:
    """Proposed golden questions of the newest version, in a file of the project."""
    from tasks.documents.chunk_file import read_chunks
    from tasks.retrieval.propose import as_yaml, proposals

    recipe, place = recipe_of(name, settings), settings.project / "golden" / f"{name}.yaml"
    if recipe.kind != "documents":
        raise BadInput(f"{name} is of kind {recipe.kind}; golden questions are for releases of kind documents.")
    if place.exists():
        raise Refused(f"{place} is there already and is left as it is; move it away to have questions proposed anew.")
    proposed = proposals(read_chunks(newest_chunks(store_at(settings.store), name)))
    put_text(place, as_yaml(proposed))
    told = Counter(question.answerable for question in proposed)
    questions = "1 question" if told[True] == 1 else f"{told[True]} questions"
    console.out.print(f"wrote {place}: {questions} that the documents answer, {told[False]} that they do not")
    console.out.print(f"correct them, put `golden: {name}` into the recipe of {name}, then: penstock train {name}")


def newest_chunks(store: Store, name: str) -> Path:
    """The chunks of the newest version whose files are there."""
    gone = history.forgotten(ledger.entries(store, name))
    for record in reversed(records.versions(store, name)):
        if record.version not in gone and store.whole(record.folder):
            made = json.loads((store.path(record.folder) / "release.json").read_bytes())
            return store.path(Artifact.model_validate(made["chunks"]))
    raise Refused(f"{name} was never trained, so there is nothing to ask about yet: `penstock train {name}`.")


def check_name(name: str, settings: Settings) -> None:
    if not re.fullmatch(NAME, name):
        raise BadInput(f"{name!r} cannot name a release; use a-z, 0-9 and -, at most 63 of them, no - in front.")
    if name in release_names(settings.folders):
        raise BadInput(f"{name} is taken by another release; choose another name.")


def write(name: str, files: dict[str, dict[str, Any]], assumptions: list[str], settings: Settings) -> None:
    """The files of a new release, none of them over another, and what was assumed in them."""
    places = {kind: settings.project / kind / f"{name}.yaml" for kind in files}
    if taken := [str(place) for place in places.values() if place.exists()]:
        raise BadInput(f"{name} is taken ({', '.join(taken)}); choose another name.")
    for kind, place in places.items():
        write_yaml(place, files[kind])
    for line in assumptions:
        console.out.print(f"  assumed: {line}")
    console.out.print("wrote " + ", ".join(str(place) for place in places.values()))
    console.out.print(f"read them, then: penstock train {name}")


def write_yaml(place: Path, value: object) -> None:
    put_text(place, yaml.safe_dump(json.loads(json.dumps(value)), sort_keys=False, allow_unicode=True))
