"""Tells a reader that will never come back from one that is merely quiet, or waits for a server that is away."""

import asyncio
from collections.abc import Iterable
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from cadence_engine.bus import topics
from cadence_engine.bus.reader import TopicReader
from cadence_engine.settings import Settings
from cadence_engine.telemetry import describe

log = structlog.stdlib.get_logger("cadence_engine.bus.consumer")

REQUEST_MARGIN: Final = 5.0
"""Seconds beyond the session timeout: for so long Kafka may hold back its answer to who joins a group."""

POSTGRES_AND_PAUSE: Final = 40.0
"""Seconds for an answer of PostgreSQL (30) after the longest pause (10)."""

ANSWERS_WITHIN: Final = 2.0


class ConsumerStuck(Exception):  # noqa: N818  # it says what it is
    """A consumer neither reads nor lets itself be closed: only the end of its process frees its partitions."""

    def __init__(self) -> None:
        super().__init__(
            "consumers could not be closed, though Kafka answers; this process ends, so that others, or the next one, "
            "get their partitions"
        )


def request_timeout(settings: Settings) -> float:
    """Seconds for an answer of Kafka."""
    return settings.session_timeout + REQUEST_MARGIN


def silent_at_most(settings: Settings) -> float:
    """Seconds after which a silent reader never comes back: nothing legal takes longer, with a rebalance in between."""
    return POSTGRES_AND_PAUSE + settings.session_timeout + request_timeout(settings)


async def find(readers: Iterable[TopicReader], settings: Settings) -> bool:
    """Whether one of them is stuck, which is logged. While Kafka is away none is: they get their time anew."""
    silent = {reader: reader.silent_for() for reader in readers}
    silent = {reader: seconds for reader, seconds in silent.items() if seconds > silent_at_most(settings)}
    if not silent:
        return False
    if not await kafka_answers(settings):
        for reader in silent:
            reader.wait_on()
        return False
    log.error(
        "reader_stuck",
        topics=[reader.topic for reader in silent],
        silent_for=round(max(silent.values())),
        hint="a poll or a page did not come back, or Kafka's client died inside: all consumers are made anew",
    )
    return True


async def kafka_answers(settings: Settings) -> bool:
    """Whether it answers a client that knows nothing from before."""
    try:
        async with asyncio.timeout(ANSWERS_WITHIN):
            await topics.check(settings, topics.gate(settings))
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("kafka_unavailable", error=describe(error))
        return False
    except topics.TopicsMissing:
        pass  # an answer all the same
    return True
