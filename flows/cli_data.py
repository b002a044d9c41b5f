"""Commands on data: `new` for tables, documents and chats of a user's own, and `data` for snapshots."""

from pathlib import Path
from typing import Annotated

import typer

from tasks.settings import load

Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables")]
Dataset = Annotated[str, typer.Argument(help="Name of a dataset")]

new = typer.Typer(help="Make dataset, contract and recipe for data of your own.", no_args_is_help=True)
data = typer.Typer(help="Snapshots of a dataset.", no_args_is_help=True)


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
