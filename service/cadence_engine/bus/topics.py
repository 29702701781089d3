"""The topics that this deployment needs: their names, how they are made, and what is wrong with those there are."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError, TopicAlreadyExistsError, TopicAuthorizationFailedError, for_code

from cadence_contracts import topics
from cadence_engine.links import kafka
from cadence_engine.links.advice import advise
from cadence_engine.settings import Settings

log = structlog.stdlib.get_logger("cadence_engine.bus.topics")

RELAY: Final = "cadence.relay"
"""Holds no records: the relay commits its mark as its group's offset there."""

TIMESTAMP_TYPE: Final = "message.timestamp.type"
APPEND_TIME: Final = "LogAppendTime"
DEAD_LETTER_BYTES: Final = 12 * 1024 * 1024
"""A record as large as a topic accepts does not fit again with our headers, nor compressed once it is unpacked."""

BROKERS_DEFAULT: Final = -1
REQUEST_TIMEOUT_MS: Final = 5_000
CREATE_TIMEOUT_MS: Final = 30_000
LOOK_AGAIN_SECONDS: Final = 0.05


class TopicsMissing(Exception):  # noqa: N818  # the names are the message
    """Topics that this process reads or writes do not exist."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"topics are missing: {', '.join(names)}. Create them with `cadence-engine topics create`, "
            "or ask whoever runs Kafka to, or correct CADENCE_TOPIC_PREFIX and CADENCE_TRIGGER_TOPICS"
        )
        self.names = tuple(names)


def inbound(settings: Settings) -> tuple[str, ...]:
    """What the consumer reads, by the names that this deployment gives them."""
    return tuple(settings.topic(name) for name in dict.fromkeys((*topics.INBOUND, *settings.trigger_topics)))


def gate(settings: Settings) -> tuple[str, ...]:
    """The inbound topics that can stop a step."""
    return tuple(settings.topic(name) for name in topics.GATE)


def outbound(settings: Settings) -> tuple[str, ...]:
    """What the relay writes to, its mark's topic included."""
    return tuple(settings.topic(name) for name in (topics.OUTBOUND, topics.EVENTS, topics.DEAD_LETTERS, RELAY))


async def create_topics(settings: Settings, *, partitions: int = 6, replication: int = -1) -> list[str]:
    """Make the topics that do not exist yet; answers their names. Those that exist are left as they are.

    `replication` -1 is the broker's default. Raises aiokafka.errors.KafkaError where the broker refuses, and
    TimeoutError where it takes too long.
    """
    wanted = {topic.name: topic for topic in _specifications(settings, partitions, replication)}
    async with admin(settings, request_timeout_ms=CREATE_TIMEOUT_MS) as client:
        absent = [wanted[name] for name in await _absent(client, list(wanted))]
        if not absent:
            return []
        response = await client.create_topics(absent)
        for name, code, *explained in response.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:  # another did it just now
                raise error(f"topic {name}: {explained[0] if explained else error.description}")
        async with asyncio.timeout(CREATE_TIMEOUT_MS / 1000):  # every broker is to know them, not the controller alone
            while await _absent(client, list(wanted)):  # noqa: ASYNC110  # nobody tells us
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
    return [topic.name for topic in absent]


async def check(settings: Settings, names: Sequence[str]) -> None:
    """Raises TopicsMissing, or aiokafka.errors.KafkaError where the broker cannot be asked."""
    async with admin(settings) as client:
        absent = await _absent(client, names)
    if absent:
        raise TopicsMissing(absent)


async def report_clocks(settings: Settings) -> list[str]:
    """Log which gate topics carry their producers' clocks, on which the promises then rest; answers them."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in gate(settings)]
    by_producers = []
    async with admin(settings) as client:
        for response in await client.describe_configs(resources):
            for code, _message, _kind, name, entries in response.resources:
                values = {entry[0]: entry[1] for entry in entries}
                if code or values.get(TIMESTAMP_TYPE) != APPEND_TIME:
                    by_producers.append(name)
    if by_producers:
        log.warning(
            "gate_rests_on_producers_clocks",
            topics=by_producers,
            hint=f"set {TIMESTAMP_TYPE}={APPEND_TIME}: a reply counts from its record's timestamp, here the producer's",
        )
    return by_producers


@asynccontextmanager
async def admin(
    settings: Settings, *, request_timeout_ms: int = REQUEST_TIMEOUT_MS
) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client to ask and administer the brokers with. Raises aiokafka.errors.KafkaConnectionError, which says why."""
    client = AIOKafkaAdminClient(**kafka.link(settings), request_timeout_ms=request_timeout_ms)
    try:
        try:
            await client.start()
        except KafkaConnectionError as error:
            advise(error, await kafka.why_unreachable(settings))
            raise
        yield client
    finally:
        await client.close()


async def _absent(client: AIOKafkaAdminClient, names: Sequence[str]) -> list[str]:
    there = await client.describe_topics(list(names))
    hidden = [topic["topic"] for topic in there if topic["error_code"] == TopicAuthorizationFailedError.errno]
    if hidden:
        raise TopicAuthorizationFailedError(f"not even Describe is allowed on {', '.join(hidden)}")
    whole = {topic["topic"] for topic in there if not topic["error_code"] and topic["partitions"]}
    return [name for name in names if name not in whole]


def _specifications(settings: Settings, partitions: int, replication: int) -> list[NewTopic]:
    by_name: dict[str, tuple[int, dict[str, str]]] = {name: (partitions, {}) for name in inbound(settings)}
    by_name |= {name: (partitions, {TIMESTAMP_TYPE: APPEND_TIME}) for name in gate(settings)}
    by_name |= {name: (partitions, {}) for name in outbound(settings)}
    by_name[settings.topic(topics.DEAD_LETTERS)] = (partitions, {"max.message.bytes": str(DEAD_LETTER_BYTES)})
    by_name[settings.topic(RELAY)] = (1, {})
    return [
        NewTopic(
            name=name,
            num_partitions=count,
            replication_factor=replication,
            # aiokafka refuses the broker's default, -1, without them; empty ones are not sent.
            replica_assignments={} if replication == BROKERS_DEFAULT else None,
            topic_configs=configuration,
        )
        for name, (count, configuration) in by_name.items()
    ]
