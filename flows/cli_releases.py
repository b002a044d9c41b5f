"""Commands on a release, from train to package."""

from pathlib import Path
from typing import Annotated

import typer

from tasks.settings import load

Name = Annotated[str, typer.Argument(help="Name of a release")]
Version = Annotated[int, typer.Argument(help="Version of the release")]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables")]
Note = Annotated[str, typer.Option(help="Why; kept in the ledger")]
Files = Annotated[list[str], typer.Option("--file", help="Local file instead of the source: PATH or part=PATH")]
Sets = Annotated[list[str], typer.Option("--set", help="Override a field of the recipe: key=value")]
Seed = Annotated[int | None, typer.Option(help="The model's seed")]
Budget = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        help="Minutes for a creative release: an encoder that would take longer is left out",
    ),
]


def add_to(app: typer.Typer) -> None:
    commands = (
        train,
        plan,
        serve,
        chat,
        score,
        labels,
        history,
        compare,
        report,
        approve,
        rollback,
        shadow,
        split,
        costs,
        verify,
        adopt,
        package,
        forget,
    )
    for command in commands:
        app.command()(command)


def train(
    name: Name,
    file: Files = [],  # noqa: B006 - Typer reads the default and never changes it
    seed: Seed = None,
    set: Sets = [],  # noqa: B006
    budget: Budget = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Look at sources and flow again")] = False,
    accept_drift: Annotated[
        bool, typer.Option("--accept-drift", help="Train however far the data moved from the champion's")
    ] = False,
) -> None:
    """Build a candidate, take it through the gate, and promote it where the gate and the recipe say so."""
    from flows.orders import Order
    from flows.replay import stands

    settings, overrides = load(), within(set, budget)
    order = Order(release=name, files=file, seed=seed, set=overrides, refresh=refresh, accept_drift=accept_drift)
    if stands(order, settings):
        return
    from flows import console, running

    console.listen()
    running.train(order, settings)


def within(overrides: list[str], budget: float | None) -> list[str]:
    """A budget is a field of the recipe."""
    return overrides if budget is None else [*overrides, f"budget={budget}"]


def plan(
    name: Name,
    file: Files = [],  # noqa: B006
    seed: Seed = None,
    set: Sets = [],  # noqa: B006
    budget: Budget = None,
    json: Json = False,
) -> None:
    """Show what `train` would run, and why; nothing is started."""
    from flows import console
    from flows.orders import Order, planned, prepare
    from tasks.artifacts import opened

    settings = load()
    with opened(settings.store):
        _, lines = planned(prepare(Order(release=name, files=file, seed=seed, set=within(set, budget)), settings))
    if json:
        console.emit([line.model_dump() for line in lines])
    else:
        console.show_plan(name, lines)


def serve(name: Name, port: Annotated[int | None, typer.Option(help="Default: PENSTOCK_PORT")] = None) -> None:
    """Serve the champion, and follow it: promotions and rollbacks are swapped in without a restart."""
    from flows import serving

    serving.serve(name, port, load())


def chat(
    name: Name,
    url: Annotated[
        str | None, typer.Option(help="A service's URL; default: one that runs here, else one for this chat")
    ] = None,
    model: Annotated[str | None, typer.Option(help="One of the service's models; default: the champion")] = None,
    system: Annotated[str | None, typer.Option(help="System message; default: none")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Greatest length of an answer")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=2, help="0: the likeliest words")] = None,
    once: Annotated[str | None, typer.Option(help="Print the answer to this question and end")] = None,
) -> None:
    """Talk to an assistant in the terminal; a question on standard input is answered once."""
    from flows import chatting

    wishes = chatting.Wishes(model, system, max_tokens, temperature)
    chatting.chat(name, url, once, wishes, load())


def score(
    name: Name,
    source: Annotated[str, typer.Option("--from", help="CSV, Parquet or Excel file, or a SQLAlchemy URL")],
    to: Annotated[Path, typer.Option(help="Parquet or CSV file to write")],
    query: Annotated[str | None, typer.Option(help="Query, where the source is a SQLAlchemy URL")] = None,
) -> None:
    """Score rows with the champion of this moment, streamed; the answer names its version in every row."""
    from flows import console, running

    console.listen()
    running.score(name, source, to, query, load())


def labels(
    name: Name,
    file: Annotated[Path, typer.Argument(help="CSV or Parquet file: request_id, label, optional row and tenant")],
    json: Json = False,
) -> None:
    """Tell what was right about answers that were given; exit code 1 where a label fits no answer."""
    from flows import labelling

    if labelling.labels(name, file, json, load()):
        raise typer.Exit(1)


def history(name: Name, json: Json = False) -> None:
    """Versions and ledger of a release."""
    from flows import reading

    reading.history(name, json, load())


def compare(name: Name, first: Version, second: Version, json: Json = False) -> None:
    """Two versions side by side: data, metrics, and what the gate said."""
    from flows import reading

    reading.compare(name, first, second, json, load())


def report(name: Name, version: Annotated[int | None, typer.Argument(help="Default: the champion")] = None) -> None:
    """Write the HTML page of a version: data, training, evidence, decision, lineage."""
    from flows import reading

    reading.report(name, version, load())


def approve(
    name: Name,
    version: Version,
    override: Annotated[
        bool, typer.Option("--override", help="Promote what the gate did not; recorded as such")
    ] = False,
    note: Note = "",
) -> None:
    """Promote a pending candidate."""
    from flows import running

    running.move(load(), name, lambda release: release.approve(version, override, note))


def rollback(name: Name, note: Note = "") -> None:
    """Back to the last known good version, and ask the running services which version answers."""
    from flows import running

    running.roll_back(load(), name, note)


def shadow(
    name: Name,
    version: Annotated[int | None, typer.Argument(help="The challenger")] = None,
    off: Annotated[bool, typer.Option("--off", help="Send no copy of the traffic to any version")] = False,
    note: Note = "",
) -> None:
    """Send a copy of the traffic to a version: its answers are logged and never returned."""
    from flows import running

    if (version is None) != off:
        raise typer.BadParameter("name a VERSION, or say --off")
    running.move(load(), name, lambda release: release.shadow(version, note))


def split(
    name: Name,
    version: Annotated[int | None, typer.Argument(help="The trial; without it, the split is shown")] = None,
    share: Annotated[str | None, typer.Argument(help="Of the requests, such as 10%")] = None,
    days: Annotated[float, typer.Option(min=0.001, max=365, help="After so many days it ends by itself")] = 7,
    off: Annotated[bool, typer.Option("--off", help="Let the champion answer all requests again")] = False,
    json: Json = False,
    note: Note = "",
) -> None:
    """Let a version answer a share of the requests; without VERSION: compare what became of its answers."""
    from flows import splitting

    if (version is None) != (share is None) or (off and version is not None):
        raise typer.BadParameter("name a VERSION and a share such as 10%, or say --off, or neither")
    if version is None and not off:
        splitting.show(name, json, load())
    else:
        splitting.change(name, version, splitting.fraction(share), days, note, load())


def costs(
    name: Name,
    days: Annotated[int | None, typer.Option(min=1, help="Only the last so many days")] = None,
    json: Json = False,
) -> None:
    """What the answers cost, by day, caller and model, at the prices of prices.yaml."""
    from flows import reading

    reading.costs(name, days, json, load())


def verify(name: Annotated[str | None, typer.Argument(help="Default: all")] = None, json: Json = False) -> None:
    """Check ledger, decisions, files and aliases; exit code 1 where something does not agree."""
    from flows import reading

    raise typer.Exit(reading.verify(name, json, load()))


def adopt(name: Name, note: Note = "") -> None:
    """Write into the ledger that a person moved the alias champion."""
    from flows import running

    running.move(load(), name, lambda release: release.adopt(note))


def forget(
    name: Name,
    document: Annotated[str | None, typer.Argument(help="Its path in the corpus, as answers cite it")] = None,
    subject: Annotated[str | None, typer.Option(help="A person in a table, by the value of a column")] = None,
    column: Annotated[str | None, typer.Option(help="The column of --subject; default: the dataset's `group`")] = None,
    note: Note = "",
) -> None:
    """Remove a document, or the rows of a person, from wherever they are kept, prove it, and list what remains."""
    from flows import console, forgetting, forgetting_rows

    if (document is None) == (subject is None) or (column and subject is None):
        raise typer.BadParameter("name a DOCUMENT, or a person with --subject (and --column)")
    console.listen()
    if subject is None:
        raise typer.Exit(forgetting.forget(name, document or "", note, load()))
    raise typer.Exit(forgetting_rows.forget(name, subject, column, note, load()))


def package(name: Name, version: Annotated[int | None, typer.Argument(help="Default: the champion")] = None) -> None:
    """Build the bento of a version."""
    from flows import running

    running.package(load(), name, version)
