"""What the relay calls itself in Kafka, and the topics that it needs."""

from typing import Final

from aiokafka import TopicPartition

from cadence_contracts import topics
from cadence_engine.settings import Settings

MARK_TOPIC: Final = "cadence.relay"
"""Holds no record: the relay's group commits its mark on partition 0 of it."""
RELAY: Final = "cadence-engine.relay"
"""The group that commits the mark, and the transactional id."""

PUBLISHED_TO: Final = (topics.OUTBOUND, topics.EVENTS, topics.DEAD_LETTERS)


def group(settings: Settings) -> str:
    return settings.topic(RELAY)


def transactional_id(settings: Settings) -> str:
    return settings.topic(RELAY)


def mark_partition(settings: Settings) -> TopicPartition:
    return TopicPartition(settings.topic(MARK_TOPIC), 0)
