"""Making the topics that a deployment needs."""

import asyncio
from typing import Annotated

import typer
from aiokafka.errors import KafkaError

from cadence_engine import settings, telemetry

topics = typer.Typer(no_args_is_help=True, help="Kafka's topics.")


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(topics, name="topics")


@topics.callback()
def _group() -> None:
    """Kafka's topics."""


@topics.command()
def create(
    partitions: Annotated[int, typer.Option(min=1, help="Of each topic; the most that consumers can share.")] = 6,
    replication: Annotated[int, typer.Option(min=-1, help="Copies of each topic; -1: the broker's default.")] = -1,
) -> None:
    """Make the topics that do not exist yet, named with CADENCE_TOPIC_PREFIX; those that exist stay as they are."""
    from cadence_engine.bus.topics import create_topics

    loaded = settings.load()
    try:
        made = asyncio.run(create_topics(loaded, partitions=partitions, replication=replication))
    except (KafkaError, OSError) as error:
        typer.echo(f"Kafka at {loaded.kafka_bootstrap_servers} did not make the topics: {telemetry.describe(error)}")
        raise typer.Exit(1) from None
    for name in made:
        typer.echo(f"created {name}")
    if not made:
        typer.echo("all topics are there")
