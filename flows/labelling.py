"""`penstock labels`: the truth about answers, from a file into the prediction log."""

from pathlib import Path

import orjson

from flows import console
from flows.orders import recipe_of
from tasks.artifacts import store_at
from tasks.errors import BadInput, Refused
from tasks.registry import history, ledger, records
from tasks.settings import Settings
from tasks.watching.labels import Given, give
from tasks.watching.targets import target_of


def labels(name: str, file: Path, as_json: bool, settings: Settings) -> bool:
    """Log the labels of a file and tell what came of it; True where some fit no answer of the release."""
    recipe_of(name, settings)
    if not file.is_file():
        raise BadInput(f"{file} is not a file; name a CSV or Parquet file with the columns request_id and label.")
    store = store_at(settings.store)
    version = history.champion(ledger.entries(store, name))
    if version is None:
        raise Refused(f"{name} has no champion, so nobody was answered; `penstock train {name}` makes one.")
    told = store.path(records.version(store, name, version).folder) / "release.json"
    given = give(store, settings.root, name, file, target_of(orjson.loads(told.read_bytes())["output_schema"]))
    if as_json:
        console.emit(given.model_dump())
    else:
        show(given)
    return given.wrong > 0


def show(given: Given) -> None:
    logged = given.rows - given.wrong
    again = f", {given.known} of them before" if given.known else ""
    console.out.print(f"{logged} of {given.rows} labels are in the log of {given.release}{again}")
    for words, count, examples in (
        ("fit no answer and are left out", given.wrong, given.wrong_examples),
        ("belong to no answer in the log, and join when it arrives", given.unknown, given.unknown_examples),
    ):
        if count:
            console.out.print(f"{count} {words}, such as:")
            for one in examples:
                console.out.print(f"  {one}")
