"""Reads dead letters once more, as if they had just been polled."""

from dataclasses import replace
from datetime import datetime

from aiokafka import ConsumerRecord

from cadence_contracts.dead_letters import Reason
from cadence_contracts.inbound import AnyInbound
from cadence_engine.bus import topics
from cadence_engine.bus.parse import Reading, read_one
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.received import DeadLetter, Received
from cadence_engine.handlers.replay import Read
from cadence_engine.settings import Settings
from cadence_engine.tracing import spans

NO_LONGER_READ = "this deployment does not read the topic: name it in CADENCE_TRIGGER_TOPICS, or drop the letter"


def reader(settings: Settings, policy: Policy) -> Read:
    """What `handlers.replay` reads letters with."""
    inbound = topics.inbound(settings)

    def read(letter: DeadLetter, now: datetime) -> Received[AnyInbound] | DeadLetter:
        # A topic that the consumer does not read would pass for a further trigger, whatever it carried once.
        if letter.topic not in inbound:
            return replace(letter, reason=Reason.UNKNOWN_TYPE, detail=NO_LONGER_READ)
        topic = letter.topic.removeprefix(settings.topic_prefix)
        reading = Reading(topic, now, policy.inbox_memory, traced=spans.wanted())
        return read_one(_record(letter), reading)

    return read


def _record(letter: DeadLetter) -> "ConsumerRecord[bytes, bytes]":
    return ConsumerRecord(
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        timestamp=letter.timestamp_ms,
        timestamp_type=0,
        key=letter.key,
        value=letter.value,
        checksum=None,
        serialized_key_size=len(letter.key or b""),
        serialized_value_size=len(letter.value or b""),
        headers=letter.headers,
    )
