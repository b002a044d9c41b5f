"""The house's commands: demo, deploy, local servers, settings."""

from typing import Annotated

import typer

from tasks.settings import load, origins

Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables")]


def add_to(app: typer.Typer) -> None:
    for command in (demo, up, down, status, deploy, metrics, config):
        app.command()(command)


def demo() -> None:
    """The tour: train, train again, serve, ask."""
    from flows import demo

    demo.run(load())


def up() -> None:
    """Start the local Prefect and MLflow servers and one worker."""
    from flows import running

    running.up(load())


def down() -> None:
    """End the local servers and the worker of this data root."""
    from flows import servers

    ended = servers.down(load())
    typer.echo(f"ended: {', '.join(server.name for server in ended)}" if ended else "nothing was running")


def status(json: Json = False) -> None:
    """What runs here, and which release is at which version."""
    from flows import reading

    reading.status(json, load())


def deploy() -> None:
    """Create or update pool, limits, automations and the deployments of prefect.yaml; safe to repeat."""
    from flows import running

    running.deploy(load())


def metrics() -> None:
    """Metrics of releases and runs for Prometheus, until Ctrl-C."""
    from flows import running

    running.metrics(load())


def config(json: Json = False) -> None:
    """Every setting, its value and where it comes from; secrets are masked."""
    from flows import console

    found = origins(load())
    if json:
        console.emit({name: {"value": value, "from": where} for name, (value, where) in found.items()})
    else:
        console.show("settings", ("setting", "value", "from"), [(n, v, w) for n, (v, w) in found.items()])
