"""The console script `penstock`: verbs on every release, and the house's own. Heavy imports happen inside commands."""

import sys

import typer

from flows import cli_data, cli_house, cli_releases, cli_watch
from tasks.errors import PenstockError

app = typer.Typer(
    name="penstock",
    help="From data to served models: releases built by cached steps, gated, recorded, undone by one command.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for commands in (cli_releases, cli_watch, cli_data, cli_house):
    commands.add_to(app)


def main() -> None:
    """Exit code 0: done, or nothing to do; 1: a user's mistake, told in a paragraph; 2: a malformed command line."""
    try:
        app()
    except PenstockError as error:
        sys.stderr.write(f"penstock: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
