"""What the relay asks of Kafka beside publishing: how large a record each topic takes, and the mark."""

from collections.abc import Collection
from typing import Final

import stamina
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from cadence_engine.bus.relay import names
from cadence_engine.bus.relay.mark import Mark
from cadence_engine.settings import Settings

MAX_MESSAGE_BYTES: Final = "max.message.bytes"
BROKER_DEFAULT_BYTES: Final = 1_048_588
COORDINATOR_WITHIN: Final = 5.0
BATCH_BYTES: Final = 512 * 1024


async def largest_records(client: AIOKafkaAdminClient, settings: Settings) -> dict[str, int]:
    """`max.message.bytes` of each topic that the relay publishes to; the broker's default where it may not be read."""
    limits = dict.fromkeys(names.PUBLISHED_TO, BROKER_DEFAULT_BYTES)
    by_real_name = {settings.topic(name): name for name in limits}
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, {MAX_MESSAGE_BYTES: None}) for name in by_real_name]
    for answer in await client.describe_configs(wanted):
        for _error, _message, _type, topic, entries in answer.resources:
            for name, value, *_ in entries:
                if name == MAX_MESSAGE_BYTES and value is not None:
                    limits[by_real_name[topic]] = int(value)
    return limits


async def read_mark(client: AIOKafkaAdminClient, settings: Settings) -> Mark | None:
    """The committed mark, None where there is none; only to be asked for after a producer's `start()`.

    Waits a while for the group's coordinator: a new Kafka makes it at the first question. Raises KafkaError, or
    UnreadableMark.
    """
    partition = names.mark_partition(settings)
    async for attempt in stamina.retry_context(
        on=KafkaError, timeout=COORDINATOR_WITHIN, wait_initial=0.05, wait_jitter=0.05
    ):
        with attempt:
            committed = await client.list_consumer_group_offsets(names.group(settings), partitions=[partition])
            if partition not in committed:
                # The client passes over the group's errors; a true answer names the partition, with -1 for no mark.
                raise KafkaError(f"no coordinator answered for group {names.group(settings)}")
    offset, metadata = committed[partition]
    return None if offset < 0 else Mark.read(offset, metadata)


def batch_bytes(limits: Collection[int]) -> int:
    """How large a batch of records may become so that every topic takes it."""
    return min(BATCH_BYTES, *limits)
