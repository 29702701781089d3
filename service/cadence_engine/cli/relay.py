"""The relay's process, and the operator's way out when it stands still because Kafka and the database disagree."""

import asyncio
from typing import Annotated

import asyncpg
import typer
from aiokafka.errors import KafkaError

from cadence_engine import bootstrap, settings, telemetry
from cadence_engine.bootstrap import Process
from cadence_engine.bus.relay.errors import RelayError
from cadence_engine.bus.relay.resolve import Picture, Trust
from cadence_engine.bus.relay.resolve import resolve as make_agree

group = typer.Typer()


def register(app: typer.Typer) -> None:
    """Mount `relay` and `relay resolve`."""
    app.add_typer(group, name="relay")


@group.callback(invoke_without_command=True)
def relay(context: typer.Context) -> None:
    """Publish the log to Kafka, each event exactly once. One is active, further ones stand by."""
    if context.invoked_subcommand:
        return
    from cadence_engine.bus.relay.process import run

    async def main(process: Process) -> None:
        await run(process.settings, process.stop, readiness=process.readiness)

    raise typer.Exit(bootstrap.run_process("relay", main, settings.load()))


@group.command()
def resolve(
    trust: Annotated[
        Trust | None,
        typer.Option(
            help="database: nothing is missing on Kafka, something may be there twice. "
            "kafka: nothing logged so far is published again, something may be missing. Not given: only look."
        ),
    ] = None,
) -> None:
    """Say whether Kafka's mark and the database tell the same history and, with --trust, make them agree."""
    telemetry.configure("relay resolve", level="warning")
    try:
        picture = asyncio.run(make_agree(settings.load(), trust))
    except (RelayError, KafkaError, asyncpg.PostgresError, OSError, TimeoutError) as error:
        typer.echo(telemetry.describe(error), err=True)
        raise typer.Exit(1) from None
    _show(picture, trust)


def _show(picture: Picture, trust: Trust | None) -> None:
    typer.echo(f"Kafka's mark: {picture.mark.number if picture.mark else 'none, or not readable'}")
    typer.echo(f"the database's mark: {picture.state.last_mark}")
    if picture.mismatch is None:
        typer.echo("They agree: the relay goes on by itself, nothing was changed.")
        return
    typer.echo(f"batches published, perhaps again, when the database is trusted: {picture.unpublished}")
    typer.echo(f"batches never published when Kafka is trusted: {picture.passed_over}")
    if trust is None:
        typer.echo(f"They disagree, nothing was changed: {picture.mismatch}")
        raise typer.Exit(1)
    typer.echo(f"Resolved: the {'database' if trust is Trust.DATABASE else 'mark of Kafka'} was trusted.")
    typer.echo("Start the relays, and restart consumers and workers: they remember versions that may be gone.")
