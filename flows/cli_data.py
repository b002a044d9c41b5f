"""Commands on data: `new` for data of a user's own, `data` for snapshots and made-up rows."""

from pathlib import Path
from typing import Annotated

import typer

from tasks.settings import load

Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables")]
Dataset = Annotated[str, typer.Argument(help="Name of a dataset")]

new = typer.Typer(help="Make dataset, contract and recipe for data of your own.", no_args_is_help=True)
data = typer.Typer(help="Snapshots of a dataset; made-up rows.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    app.add_typer(new, name="new")
    app.add_typer(data, name="data")
    app.command()(questions)


@new.command()
def tabular(
    name: Annotated[str, typer.Argument(help="Name of the new release and dataset")],
    path: Annotated[Path, typer.Option("--from", help="CSV, Parquet or Excel file")],
    target: Annotated[str, typer.Option(help="Column to predict")],
) -> None:
    """Infer catalog entry, contract and recipe from a table, and say what was assumed."""
    from flows import new

    new.tabular(name, path, target, load())


@new.command()
def creative(
    name: Annotated[str, typer.Argument(help="Name of the new release and dataset")],
    path: Annotated[Path, typer.Option("--from", help="CSV, Parquet or Excel file with texts")],
    target: Annotated[str, typer.Option(help="Column of a label with two values, or of a rating")],
) -> None:
    """Infer catalog entry, contract and recipe from a table of texts, and say what was assumed."""
    from flows import new

    new.creative(name, path, target, load())


@new.command()
def documents(
    name: Annotated[str, typer.Argument(help="Name of the new release and dataset")],
    folder: Annotated[Path, typer.Option("--from", help="Folder of PDF, Markdown, HTML and text files")],
) -> None:
    """Write catalog entry and recipe for a folder of documents, and say what was assumed."""
    from flows import new

    new.documents(name, folder, load())


@new.command()
def assistant(
    name: Annotated[str, typer.Argument(help="Name of the new release and dataset")],
    path: Annotated[Path, typer.Option("--from", help="Folder of documents, or JSONL file of conversations")],
) -> None:
    """Write catalog entry and recipe for a chat model on documents or conversations, and say what was assumed."""
    from flows import new

    new.assistant(name, path, load())


def questions(name: Annotated[str, typer.Argument(help="Name of a documents release")]) -> None:
    """Write proposed golden questions for review, from the documents of the newest version."""
    from flows import new

    new.questions(name, load())


@data.command()
def history(name: Dataset, json: Json = False) -> None:
    """The snapshots of a dataset, and which columns or documents changed from one to the next."""
    from flows import reading

    reading.snapshots(name, json, load())


@data.command()
def profile(name: Dataset) -> None:
    """Write Evidently's summary of the newest snapshot as an HTML page."""
    from flows import reading

    reading.profile(name, load())


@data.command()
def sample(
    name: Annotated[str, typer.Argument(help="products, or credit-applications")],
    rows: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same rows")] = 0,
    to: Annotated[Path | None, typer.Option(help="CSV file to write; without it they are printed")] = None,
) -> None:
    """Made-up rows of a generator, with its planted faults, as CSV."""
    from flows import new

    new.sample(name, rows, seed, to)
