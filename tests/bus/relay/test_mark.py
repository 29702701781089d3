"""The mark as a value, and how it is kept from expiring."""

from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from cadence_engine.bus import topics
from cadence_engine.bus.relay.mark import METADATA_CHARACTERS, Mark, UnreadableMark, chain, fitting
from cadence_engine.settings import Settings
from tests.bus.relay.conftest import Log, Road, publish_all, relay, until

OFFSETS_TOPIC = "__consumer_offsets"
ids = st.lists(st.integers(1, 2**63 - 1), unique=True, max_size=300).map(sorted)


@given(ids)
def test_a_mark_that_fits_is_read_back_as_it_was(batch_ids: list[int]) -> None:
    kept = batch_ids[: fitting(batch_ids)]
    mark = Mark(2**62, chain("", []), tuple(kept))

    assert len(mark.metadata) <= METADATA_CHARACTERS
    assert Mark.read(mark.number, mark.metadata) == mark


@given(st.integers(1, 2**62), st.lists(st.integers(1, 99), min_size=249, max_size=249))
def test_250_batches_near_each_other_fit(first: int, distances: list[int]) -> None:
    batch_ids = [first + sum(distances[:count]) for count in range(250)]

    assert fitting(batch_ids) == 250


@pytest.mark.parametrize("metadata", ["", "{}", "null", '{"digest": 1, "batches": []}', '{"digest": "", "batches": 1}'])
def test_what_somebody_else_wrote_is_no_mark(metadata: str) -> None:
    with pytest.raises(UnreadableMark):
        Mark.read(1, metadata)


def test_the_digest_tells_histories_apart() -> None:
    one, two, three = uuid4(), uuid4(), uuid4()
    first = chain("", [(1, [one, two])])

    assert chain("", [(1, [one, two])]) == first
    others = {
        chain("", [(1, [two, one])]),
        chain("", [(2, [one, two])]),
        chain("", [(1, [one]), (2, [two])]),
        chain("", [(1, [one, three])]),
        chain(first, [(1, [one, two])]),
    }
    assert len(others | {first}) == 6


async def test_an_idle_relay_commits_its_mark_again(log: Log, road: Road) -> None:
    await log.write_sends(batches=4)
    await publish_all(log)
    before = await commits_of_the_mark(log.settings)

    async with relay(log.settings, repeat_mark_every=0.1):
        await until(lambda: has_commits(log.settings, before + 3))
        await log.write_sends(batches=1)
        await until(log.is_published)

    await road.holds_once_and_in_order(log.written)
    await log.write_sends(batches=1)
    await publish_all(log)


async def has_commits(settings: Settings, count: int) -> bool:
    return await commits_of_the_mark(settings) >= count


async def commits_of_the_mark(settings: Settings) -> int:
    """How many offsets of the relay's group were ever committed: read from Kafka's own topic of them."""
    async with topics.admin(settings) as client:
        [topic] = await client.describe_topics([OFFSETS_TOPIC])
    partitions = [TopicPartition(OFFSETS_TOPIC, number) for number in range(len(topic["partitions"]))]
    consumer: AIOKafkaConsumer[bytes, bytes] = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        isolation_level="read_committed",
        exclude_internal_topics=False,
    )
    async with consumer:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found = 0
        while not all([await consumer.position(each) >= ends[each] for each in partitions]):
            for page in (await consumer.getmany(timeout_ms=100)).values():
                found += sum(settings.topic("cadence.relay").encode() in (record.key or b"") for record in page)
        return found
