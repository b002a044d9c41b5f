"""`penstock why` and `penstock impact`: what store and log say, with what MLflow and Prefect add where they are up."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows import console
from flows.elsewhere import Elsewhere, ask
from tasks.artifacts import canonical, opened, store_at
from tasks.errors import BadInput, NotFound
from tasks.settings import Settings
from tasks.watching import impact as reverse
from tasks.watching import tracing
from tasks.watching.impact import Impact, Made, Tell
from tasks.watching.tracing import Origin, Reign, Traced

SNAPSHOT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)@([1-9][0-9]{0,8})")
SHOWN = 300  # characters of inputs and answers
Rows = list[tuple[str, str]]


def why(request_id: str, release: str | None, as_json: bool, settings: Settings) -> None:
    store = store_at(settings.store)
    known = tracing.logged(store, settings.root)
    if release is not None and release not in known:
        raise NotFound(f"There is no log of {release}; there are logs of: {', '.join(known) or 'none'}.")
    chosen = [release] if release else known
    found = tracing.trace(store, settings.root, chosen, request_id)
    if not found:
        raise NotFound(
            f"No log has the request {request_id!r}; looked at: {', '.join(chosen) or 'none'}. Lines come from other "
            "machines after PENSTOCK_LOG_SEGMENT_S seconds, and are kept for PENSTOCK_LOG_DAYS days."
        )
    origins = [one for told in found for one in told.versions]
    more = ask(origins, [one for told in found for one in told.traces], settings)
    if as_json:
        releases = [traced_json(one, more) for one in found]
        console.emit({"request_id": request_id, "releases": releases, "not_asked": more.silent})
        return
    for one in found:
        show_traced(request_id, one, more)
    say_silent(more)


def traced_json(told: Traced, more: Elsewhere) -> dict[str, Any]:
    versions = [one.model_dump(mode="json") | more.of(one.release, one.version) for one in told.versions]
    traces = {trace: more.traces.get(trace) for trace in told.traces}
    return told.model_dump(mode="json") | {"versions": versions, "traces": traces}


def show_traced(request_id: str, told: Traced, more: Elsewhere) -> None:
    rows = [record_row(one) for one in told.records]
    heads = ("", "when", "row", "version", "caller", "in", "out")
    console.show(f"{told.release}: request {request_id}", heads, rows)
    for version in told.lost:
        console.out.print(f"Version {version} of {told.release} has no record in the store: it was never registered.")
    for one in told.versions:
        console.show(f"{one.release} version {one.version}: {one.standing}", ("", ""), origin_rows(one, more))
    for trace in told.traces:
        if trace in more.traces:
            console.out.print(f"trace: {more.traces[trace]}")


def record_row(one: dict[str, Any]) -> tuple[object, ...]:
    """A line of the log in a row; feedback says what was told."""
    said = {name: one[name] for name in ("label", "rating", "comment") if one[name] is not None}
    given = one["inputs"] if one["inputs"] is not None else one["features"]
    caller = "/".join(part for part in (one["tenant"], one["caller"]) if part)
    out = said if one["kind"] == "feedback" else one["output"]
    return one["kind"], moment(one["time"]), one["row"], one["version"], caller, short(given), short(out)


def origin_rows(one: Origin, more: Elsewhere) -> Rows:
    """What a version is and was made of, one fact a line; what is not known is left out."""
    place = (one.release, one.version)
    commit = f"{one.git_commit} (with changes that were not committed)" if one.git_dirty else one.git_commit
    rows = [
        ("kind", one.kind),
        ("registered", console.moment(one.created)),
        ("gate", one.verdict or "no decision"),
        *(("champion", reign(told)) for told in one.reigns),
        ("data", one.snapshot),
        ("data digest", one.data_digest),
        ("data from", short({name: one.source[name] for name in ("title", "type", "licence") if name in one.source})),
        ("raw bytes", ", ".join(one.parents)),
        ("dvc.md5", one.dvc_md5),
        ("git commit", commit),
        ("code digest", one.code_digest),
        ("release.json", one.release_digest),
        *((str(part.get("what")), f"{part.get('name') or ''} {part.get('digest')}".strip()) for part in one.lineage),
        ("MLflow run", f"{one.run_id}  {more.runs.get(place, '')}"),
        ("Prefect run", "  ".join(part.get(place, "") for part in (more.states, more.flow_runs)).strip()),
        ("deployment", one.deployment),
        ("bentos", ", ".join(more.bentos.get(place, []))),
    ]
    return [row for row in rows if row[1]]


def reign(told: Reign) -> str:
    until = f"until {console.moment(told.until)}" if told.until else "and still is"
    how = f"{told.action} by {told.who}" + (", against the gate" if told.override else "")
    said = f", gate: {told.verdict}" if told.verdict else ""
    return f"since {console.moment(told.since)} {until}: {how}{said}" + (f" ({told.note})" if told.note else "")


def impact(what: str, document: str | None, ids: Path | None, as_json: bool, settings: Settings) -> None:
    named = SNAPSHOT.fullmatch(what)
    if named is None:
        raise BadInput(f"{what!r} names no snapshot; write DATASET@VERSION, as `penstock data history DATASET` counts.")
    dataset, number = named[1], int(named[2])
    with opened(settings.store) as store, writing(ids) as tell:
        if document is None:
            found = reverse.of_snapshot(store, settings.root, dataset, number, tell)
        else:
            found = reverse.of_document(store, settings.root, dataset, number, document, tell)
    more = ask([one.origin for one in found.made], [], settings)
    if as_json:
        made = [one.model_dump(mode="json") | more.of(one.origin.release, one.origin.version) for one in found.made]
        console.emit(found.model_dump(mode="json") | {"made": made, "not_asked": more.silent})
        return
    show_impact(found, more)
    say_silent(more)


@contextmanager
def writing(ids: Path | None) -> Iterator[Tell]:
    """Writes release, version and request id, a request a line, as they are found."""
    if ids is None:
        yield lambda release, version, found: None
        return
    with ids.open("w", encoding="utf-8") as file:
        yield lambda release, version, found: file.writelines(f"{release}\t{version}\t{one}\n" for one in found)


def show_impact(found: Impact, more: Elsewhere) -> None:
    what = f"{found.document} as in {found.snapshot}" if found.document else found.snapshot
    console.out.print(f"{what} has the digest {found.digest}")
    if found.same:
        alike = "the same document" if found.document else "the same data"
        console.out.print(f"{alike} is in {', '.join(found.same)}" + ("" if found.document else ": ask for these, too"))
    if not found.made:
        console.out.print("No version of any release was made of it.")
        return
    for one in found.made:
        console.show(
            f"{one.origin.release} version {one.origin.version}: {one.origin.standing}", ("", ""), made_rows(one, more)
        )


def made_rows(one: Made, more: Elsewhere) -> list[tuple[str, object]]:
    origin = one.origin
    reigns = [
        f"{console.moment(told.since)} to {console.moment(told.until) if told.until else 'now'}"
        for told in origin.reigns
    ]
    times = [moment(told) for told in (one.first, one.last) if told is not None]
    rows: list[tuple[str, object]] = [("champion", "; ".join(reigns) or "never")]
    rows += [("bento", bento) for bento in more.bentos.get((origin.release, origin.version), [])]
    rows += [("rows answered", f"{one.answers:,}" + (f", from {times[0]} to {times[1]}" if times else ""))]
    rows += [] if one.cited is None else [("answers that cite it", f"{one.cited:,}")]
    return rows + [("such as", example) for example in one.examples]


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def short(value: Any) -> str:
    if value is None or value == {}:
        return ""
    text = canonical(value).decode()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def say_silent(more: Elsewhere) -> None:
    for text in more.silent:
        console.out.print(text)
