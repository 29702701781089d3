"""Topics are made once, as the promises need them."""

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from cadence_contracts.topics import GATE
from cadence_engine.bus import topics
from tests.bus.conftest import PARTITIONS, Road, eventually


async def test_what_is_there_is_left_alone(road: Road) -> None:
    assert await topics.create_topics(road.settings, partitions=9, replication=1) == []
    more = road.settings.model_copy(update={"trigger_topics": ("demo.booked", "trial.ended")})
    assert await topics.create_topics(more, partitions=1, replication=1) == [road.topic("trial.ended")]
    async with topics.admin(road.settings) as admin:
        described = await admin.describe_topics(list(topics.inbound(more) + topics.outbound(more)))
    sizes = {topic["topic"]: len(topic["partitions"]) for topic in described}
    assert sizes.pop(road.topic("cadence.relay")) == 1
    assert sizes.pop(road.topic("trial.ended")) == 1
    assert set(sizes.values()) == {PARTITIONS}


async def test_gate_topics_carry_the_brokers_clock_or_it_is_said(road: Road) -> None:
    assert await topics.report_clocks(road.settings) == []
    async with topics.admin(road.settings) as admin:
        replies = ConfigResource(ConfigResourceType.TOPIC, road.topic(GATE[0]), {topics.TIMESTAMP_TYPE: "CreateTime"})
        await admin.alter_configs([replies])

    async def report() -> list[str]:
        return await topics.report_clocks(road.settings)

    assert await eventually(report, bool) == [road.topic(GATE[0])]
    assert await road.actions() == ["gate_rests_on_producers_clocks"]


async def test_missing_topics_are_named_with_the_way_out(road: Road) -> None:
    with pytest.raises(topics.TopicsMissing, match=r"nowhere.*cadence-engine topics create"):
        await topics.check(road.settings, ["nowhere", road.topic(GATE[0])])
