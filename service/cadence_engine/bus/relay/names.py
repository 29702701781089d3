"""What the relay calls itself in Kafka, and what it publishes to."""

from typing import Final

from aiokafka import TopicPartition

from cadence_contracts import topics
from cadence_engine.bus.topics import RELAY
from cadence_engine.settings import Settings

NAME: Final = "cadence-engine.relay"
"""Of the group that commits the mark, and of the transactional id."""
PUBLISHED_TO: Final = (topics.OUTBOUND, topics.EVENTS, topics.DEAD_LETTERS)


def group(settings: Settings) -> str:
    return settings.topic(NAME)


def transactional_id(settings: Settings) -> str:
    return settings.topic(NAME)


def mark_partition(settings: Settings) -> TopicPartition:
    return TopicPartition(settings.topic(RELAY), 0)
