"""What people see of a window: Evidently's page in MLflow and in its workspace, a table on the page of the run."""

from datetime import UTC, datetime
from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from flows.seen import Seen
from tasks.registry.records import VersionRecord
from tasks.registry.versions import attach
from tasks.settings import Settings
from tasks.sources.frames import read_table
from tasks.watching.drift_report import drift as write
from tasks.watching.looking import Look
from tasks.watching.references import Reference
from tasks.watching.windows import Window


def workspace(settings: Settings) -> Path:
    """Evidently's workspace, with a project for each release."""
    return settings.root / "evidently"


def page(settings: Settings, release: str, number: int) -> Path:
    return settings.root / "reports" / f"drift-{release}-{number}.html"


def draw(window: Window, reference: Reference, found: Look, record: VersionRecord, settings: Settings) -> None:
    """Write the page of a window, add it to the workspace, and attach it to the champion's run in MLflow."""
    if window.verdict is None or not window.verdict.enough:
        return
    path = page(settings, window.release, window.number)
    until, name = datetime.fromtimestamp(window.until, UTC), f"window {window.number} of version {window.champion}"
    rows = read_table(reference.frame), found.rows
    write(*rows, window.verdict, path, workspace(settings), window.release, name, until)
    attach(settings.mlflow_url, record.run_id, path, "drift")


def published(seen: Seen, settings: Settings) -> Seen:
    """The newest window as a table on the run's page."""
    if seen.new and seen.window is not None:
        key = f"drift-{seen.release}"
        create_markdown_artifact(markdown(seen, settings), key=key, description=seen.text)
    return seen


def markdown(seen: Seen, settings: Settings) -> str:
    window = seen.window
    assert window is not None
    lines = [f"# {seen.release}: {'alarm' if seen.alarmed else 'no alarm'}, window {window.number}", ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts(seen))]
    if window.verdict is not None and window.verdict.tests:
        lines += ["", "| column | change | effect | p, corrected | drifted |", "|---|---|---|---|---|"]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in columns(window)]
    return "\n".join(
        [*lines, "", f"Page: `{page(settings, seen.release, window.number)}`, and in MLflow's run under drift/"]
    )


def facts(seen: Seen) -> list[tuple[str, str]]:
    """A window in a few lines."""
    window = seen.window
    if window is None:
        return []
    since, until = (datetime.fromtimestamp(one, UTC).strftime("%Y-%m-%d %H:%M") for one in (window.since, window.until))
    told = [("champion", f"version {window.champion}"), ("rows", f"{window.rows:,} from {since} to {until} UTC")]
    told += [("answered by other versions", f"{window.others:,}")] if window.others else []
    told += [(f"break the contract: {cause}", f"{rows:,} rows") for cause, rows in window.faults.items()]
    told.append(("verdict", verdict_of(window)))
    told += [(name, f"{value:.4g}") for name, value in window.rates.items()]
    if quality := seen.qualities.get(window.number):
        told.append((f"{quality.metric} by {quality.rows:,} labels", f"{quality.value}; promised {quality.promised}"))
    if window.estimate is not None:
        missed = f", off by {seen.missed:.3g} on average" if seen.missed is not None else ""
        told.append((f"{window.metric} by the scores alone", f"{window.estimate}{missed}"))
    told += [("", note) for note in window.notes]
    told += [("alarm", "yes" if seen.alarmed else "no")]
    told += [("what now", f"{seen.ruling.do}: {seen.ruling.why}")] if seen.ruling else []
    told += [("what now", f"wish {seen.wish.number}: {state(seen)}")] if seen.wish else []
    return told


def verdict_of(window: Window) -> str:
    """In one line: the columns of the verdict are shown as a table."""
    found = window.verdict
    if found is None:
        return "none: this window is the reference of the next ones"
    drifted = [f"drift of {', '.join(found.drifted)}"] if found.drifted else []
    joint = [str(found.joint)] if found.joint and found.joint.exceeds else []
    faults = [reason for reason in found.reasons if reason.startswith("columns ")]
    return "; ".join([*drifted, *joint, *faults]) or "no drift"


def state(seen: Seen) -> str:
    wish = seen.wish
    assert wish is not None
    if wish.outcome is not None:
        return wish.outcome.text
    if wish.answer is not None:
        return f"{wish.answer.who} said {'yes' if wish.answer.yes else 'no'}"
    return f"waits for `penstock retrain {wish.release}`, or the form in the Prefect UI"


def columns(window: Window) -> list[tuple[str, ...]]:
    """The tests of a window, those that exceed first, the greatest effect before the others."""
    tests = window.verdict.tests if window.verdict else ()
    ranked = sorted(tests, key=lambda one: (not one.exceeds, -one.effect))
    return [
        (one.column, one.told, f"{one.method} {one.effect:.3g}", f"{one.corrected:.2g}", "yes" if one.exceeds else "")
        for one in ranked
    ]
