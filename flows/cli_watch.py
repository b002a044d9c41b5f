"""Commands on what happens after promotion."""

from pathlib import Path
from typing import Annotated

import typer

from tasks.settings import load

Name = Annotated[str, typer.Argument(help="Name of a release")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables")]


def add_to(app: typer.Typer) -> None:
    for command in (watch, drift, retrain, evidently, why, impact):
        app.command()(command)


def watch(name: Annotated[str | None, typer.Argument(help="Default: every release with a champion")] = None) -> None:
    """Gather what services logged, compare it with what the champion was trained on, and act as the recipe says."""
    from flows import console, watching

    console.listen()
    watching.watch(name, load())


def drift(
    name: Name,
    window: Annotated[int | None, typer.Argument(help="Default: the newest window")] = None,
    json: Json = False,
) -> None:
    """Show a window's verdict, write Evidently's page of it, and open that in a browser."""
    from flows import watching

    watching.drift(name, window, json, load())


def retrain(
    name: Name,
    no: Annotated[bool, typer.Option("--no", help="Say no: the alarm starts nothing")] = False,
    note: Annotated[str, typer.Option(help="Why; kept with the answer")] = "",
) -> None:
    """Answer the question of an alarm: train the release anew, up to the gate's decision."""
    from flows import console, watching

    console.listen()
    watching.retrain(name, not no, note, load())


def evidently(port: Annotated[int, typer.Option(help="Of the page")] = 8123) -> None:
    """Evidently's page of all windows, release by release; Ctrl-C ends it."""
    from flows import watching

    watching.evidently(port, load())


def why(
    request_id: Annotated[str, typer.Argument(help="As the answer's X-Request-ID says")],
    release: Annotated[str | None, typer.Option(help="Default: the logs of all releases")] = None,
    json: Json = False,
) -> None:
    """Where an answer comes from: log lines, version, gate, data, code, runs, bentos, trace."""
    from flows import lineage

    lineage.why(request_id, release, json, load())


def impact(
    snapshot: Annotated[str, typer.Argument(metavar="DATASET@VERSION", help="A snapshot of a dataset")],
    document: Annotated[
        str | None, typer.Argument(help="A document as it stood in that snapshot; default: all of it")
    ] = None,
    ids: Annotated[Path | None, typer.Option(help="File for the ids of all requests: release, version, id")] = None,
    json: Json = False,
) -> None:
    """What came of a snapshot, or of a document in it: versions, bentos, answers."""
    from flows import lineage

    lineage.impact(snapshot, document, ids, json, load())
