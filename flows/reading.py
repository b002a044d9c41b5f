"""The commands that read: no server is started for any of them."""

import shlex
import time
from typing import Any

from flows import console, servers
from flows.orders import recipe_of
from tasks.artifacts import Store, opened, store_at
from tasks.documents import snapshots as documents
from tasks.documents.forgetting import unfinished
from tasks.documents.manifest import Changes
from tasks.errors import BadInput, Refused
from tasks.registry import compare as comparing
from tasks.registry import history as reigns
from tasks.registry import ledger, records
from tasks.registry.aliases import Registry
from tasks.registry.recipes import release_names
from tasks.registry.verify import verify as faults_of
from tasks.settings import Settings
from tasks.sources import snapshots as taken
from tasks.sources.catalog import FolderSource, load_dataset
from tasks.watching import costs as spending
from tasks.watching.finding import every
from tasks.watching.replicas import replicas

SHOWN = 5  # documents of each sort of change


def history(name: str, as_json: bool, settings: Settings) -> None:
    recipe_of(name, settings)
    told = records.overview(store_at(settings.store), name)
    if as_json:
        console.emit(told)
        return
    rows = [
        (one["version"], console.moment(one["created"]), one["snapshot"], one["seed"], state_of(one, told))
        for one in told["versions"]
    ]
    console.show(f"versions of {name}", ("version", "created", "data", "seed", ""), rows)
    entries = [
        (one["number"], console.moment(one["when"]), one["who"], action_of(one), moved(one), one["note"])
        for one in told["entries"]
    ]
    console.show(f"ledger of {name}", ("", "when", "who", "action", "version", "note"), entries)


def state_of(version: dict[str, Any], told: dict[str, Any]) -> str:
    """The aliases of a version, and what else there is to know; a withdrawn champion was brought back by a person."""
    number = version["version"]
    aliases = [alias for alias in ("champion", "staging", "challenger", "trial") if told[alias] == number]
    aliases = ["trial (over)" if alias == "trial" and told["split"]["over"] else alias for alias in aliases]
    pending = ["pending"] if number in told["pending"] else []
    gone = "withdrawn once, brought back by a person" if "champion" in aliases else "withdrawn"
    gone = "forgotten: it held what was" if version.get("forgotten") else gone
    return ", ".join([*aliases, *pending, *([gone] if version["withdrawn"] else [])])


def action_of(entry: dict[str, Any]) -> str:
    if entry["action"] == "split":
        return f"split {100 * entry['share']:g} %, to {console.moment(entry['expires'])}"
    return f"{entry['action']} (override)" if entry["override"] else str(entry["action"])


def moved(entry: dict[str, Any]) -> str:
    """From which version to which; a dash where there is none."""
    return " → ".join("-" if one is None else str(one) for one in (entry["from_version"], entry["to_version"]))


def compare(name: str, first: int, second: int, as_json: bool, settings: Settings) -> None:
    found = comparing.compare(store_at(settings.store), name, first, second)
    if as_json:
        console.emit(found.model_dump(mode="json"))
    else:
        console.show(f"{name}", ("", f"version {first}", f"version {second}"), found.rows())
        console.out.print(found.gate or "The gate never put them against each other on the same rows.")


def report(name: str, version: int | None, settings: Settings) -> None:
    from tasks.registry.report import page

    store = store_at(settings.store)
    number = version or reigns.champion(ledger.entries(store, name))
    if number is None:
        raise Refused(f"{name} has no champion yet; name a version, or train it first.")
    path = servers.made(settings.root / "reports") / f"{name}-v{number}.html"
    path.write_text(page(store, name, number), encoding="utf-8")
    console.out.print(str(path))


def half_forgotten(store: Store, name: str, settings: Settings) -> list[str]:
    """What an interrupted `forget` left to do."""
    recipe = recipe_of(name, settings)
    if recipe.kind != "documents":
        return []
    return [
        f"{document} is forgotten by half: run `penstock forget {name} {shlex.quote(document)}` again"
        for document in unfinished(store, recipe.dataset)
    ]


def costs(name: str, days: int | None, as_json: bool, settings: Settings) -> None:
    """Day by day, of each caller and model, and the sum."""
    recipe_of(name, settings)
    prices = spending.read_prices(settings.folders)
    since = time.time() - days * 86_400 if days else 0.0
    bills = spending.by_key_and_day(every(store_at(settings.store), settings.root, name), prices, since)
    if as_json:
        console.emit({"currency": prices.currency, "bills": [one.model_dump() for one in bills]})
        return
    heads = ("day", "tenant", "caller", "model", "answers", "tokens in", "tokens out", prices.currency, "no price")
    console.show(f"cost of {name}", heads, (bill_row(one) for one in bills))
    unpriced, total = sum(one.unpriced for one in bills), sum(one.cost for one in bills)
    without = f"; {unpriced} answers have no price and are not in it: see prices.yaml" if unpriced else ""
    console.out.print(f"{total:.4f} {prices.currency} in all{without}")


def bill_row(one: spending.Bill) -> tuple[object, ...]:
    unpriced = one.unpriced or ""
    cost = "" if one.unpriced == one.answers else f"{one.cost:.6f}"
    tokens = (one.prompt_tokens or "", one.completion_tokens or "")
    return (one.day, one.tenant, one.caller, one.model, one.answers, *tokens, cost, unpriced)


def verify(name: str | None, as_json: bool, settings: Settings) -> int:
    """Check one release or all; 1 where something does not agree. MLflow is asked where it is up."""
    names = [recipe_of(name, settings).name] if name else release_names(settings.folders)
    store, up = store_at(settings.store), servers.healthy(f"{settings.mlflow_url}/health")
    found, forgotten = {}, {}
    with Registry(settings.mlflow_url) as registry:
        for release in names:
            if records.versions(store, release) or ledger.entries(store, release):
                found[release] = faults_of(store, release, registry if up else None)
                found[release] += half_forgotten(store, release, settings)
                forgotten[release] = sorted(reigns.forgotten(ledger.entries(store, release)))
    if as_json:
        console.emit({"mlflow": up, "releases": found, "forgotten": forgotten})
    else:
        rows = [(release, fault) for release, faults in found.items() for fault in faults or ["holds"]]
        rows += [
            (release, f"version {one}: forgotten, its files were removed")
            for release in found
            for one in forgotten[release]
        ]
        console.show("verify", ("release", ""), rows)
        if not up:
            console.out.print("MLflow is down (`penstock up`): ledger and files were checked, aliases were not.")
    return int(any(found.values()))


def status(as_json: bool, settings: Settings) -> None:
    store = store_at(settings.store)
    running = [server.model_dump() for server in servers.status(settings)]
    releases = {
        name: {
            "champion": reigns.champion(ledger.entries(store, name)),
            "pending": [entry.to_version for entry in reigns.pending(ledger.entries(store, name))],
            "services": [f"{beat.url} v{beat.version}" for beat in replicas(store_at(settings.store), name)],
        }
        for name in release_names(settings.folders)
    }
    if as_json:
        console.emit({"data_root": settings.root, "servers": running, "releases": releases})
        return
    console.out.print(f"data root {settings.root}")
    console.show("servers", ("server", "process", "port"), [(s["name"], s["pid"], s["port"]) for s in running])
    rows = [(n, r["champion"], _listed(r["pending"]), _listed(r["services"])) for n, r in releases.items()]
    console.show("releases", ("release", "champion", "pending", "services"), rows)


def _listed(values: object) -> str:
    return ", ".join(map(str, values)) if isinstance(values, list) else ""


def snapshots(name: str, as_json: bool, settings: Settings) -> None:
    if isinstance(load_dataset(name, settings.folders).source, FolderSource):
        return corpora(name, as_json, settings)
    with opened(settings.store):
        found = taken.history(name)
    changes = taken.changes(found)
    if as_json:
        console.emit([one.model_dump(mode="json") for one in found])
        return
    rows = [
        (one.version, one.rows, one.digest[:12], (one.git_commit or "")[:12], changed_words(change))
        for one, change in zip(found, changes, strict=True)
    ]
    console.show(f"snapshots of {name}", ("version", "rows", "digest", "commit", "columns"), rows)


def corpora(name: str, as_json: bool, settings: Settings) -> None:
    """The snapshots of a folder of documents."""
    with opened(settings.store):
        found = documents.history(name)
    if as_json:
        console.emit([one.model_dump(mode="json") for one in found])
        return
    rows = [
        (one.version, one.documents, one.digest[:12], (one.git_commit or "")[:12], moved_documents(one.changes))
        for one in found
    ]
    console.show(f"snapshots of {name}", ("version", "documents", "digest", "commit", "changes"), rows)


def moved_documents(changes: Changes) -> str:
    """The first names of each sort of change, and how many more there are."""
    renamed = [f"{old} → {new}" for old, new in changes.renamed]
    told = {"added": changes.added, "changed": changes.changed, "removed": changes.removed, "renamed": renamed}
    return "; ".join(
        f"{len(names)} {word}: {', '.join(names[:SHOWN])}" + (", ..." if len(names) > SHOWN else "")
        for word, names in told.items()
        if names
    )


def changed_words(change: taken.Change) -> str:
    told = {"new": change.added, "gone": change.removed, "changed": change.changed}
    return "; ".join(f"{word}: {', '.join(names)}" for word, names in told.items() if names)


def profile(name: str, settings: Settings) -> None:
    from tasks.watching.reports import summary

    if isinstance(load_dataset(name, settings.folders).source, FolderSource):
        raise BadInput(f"{name} is a folder of documents; profiles are of tables. See `penstock data history {name}`.")
    with opened(settings.store):
        newest = taken.latest(name)
        if newest is None:
            raise Refused(f"{name} has no snapshot yet; train a release on it first.")
        path = servers.made(settings.root / "reports") / f"data-{name}-{newest.version}.html"
        summary(newest.table, path)
    console.out.print(str(path))
