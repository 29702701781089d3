"""Settling all dead letters that are chosen, batch after batch: one topic after the other, those of the gate first.

Under an idempotency key a batch is known by where it begins: asked for again, also after a crash between two batches
or behind the last, it is answered as it was, and nothing is looked at anew.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from pydantic import TypeAdapter

from cadence_engine.handlers.idempotency import KeyUsedForAnother
from cadence_engine.handlers.replay import Settled
from cadence_engine.storage import idempotency, replay_answers
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.digest import digest
from cadence_engine.storage.letter_filter import LetterFilter
from cadence_engine.storage.reports import dead_letters as reports
from cadence_engine.storage.settling_letters import BEGINNING, Place


class Settle(Protocol):
    """Settles the next letters of one topic, by `handlers.replay`."""

    async def __call__(self, unit: UnitOfWork, chosen: LetterFilter, topic: str, after: Place) -> Settled: ...


@dataclass(frozen=True, slots=True)
class Further:
    """Where the next batch begins. What is found dead later than `until` is not part of what was asked for."""

    topic: str
    place: Place
    until: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of some letters of one topic. `further` None: that was the last batch."""

    settled: Settled
    further: Further | None


@dataclass(frozen=True, slots=True)
class Once:
    """A request under its idempotency key, for all its batches."""

    company_id: str
    idempotency_key: str
    used_for: str


KEPT = TypeAdapter(Batch)


def replay_once(company_id: str, idempotency_key: str, chosen: LetterFilter, reason: str | None) -> Once:
    """The replay of the letters that are chosen, as its caller says it: `until` alone if the caller gives one."""
    return Once(company_id, idempotency_key, f"replay {digest([chosen, reason])}")


async def settle_batch(
    unit: UnitOfWork, chosen: LetterFilter, settle: Settle, *, gate: Sequence[str], further: Further | None
) -> Batch:
    """Settle the next letters, from the beginning where `further` is None; none of them where nothing fits.

    `gate`: topics whose letters stop steps, which go first, so that nothing is started and then stopped.
    """
    until = further.until if further else chosen.until or unit.now
    chosen = replace(chosen, until=until)
    if further is None:
        topics = await _topics(unit, chosen, gate)
        if not topics:
            return Batch(Settled(), None)
        further = Further(topics[0], BEGINNING, until)
    done = await settle(unit, chosen, further.topic, further.place)
    if done.after is not None:
        return Batch(done, replace(further, place=done.after))
    topics = await _topics(unit, chosen, gate, further.topic)
    behind = topics[topics.index(further.topic) + 1 :]
    return Batch(done, Further(behind[0], BEGINNING, until) if behind else None)


async def settle_batch_once(
    unit: UnitOfWork,
    once: Once,
    chosen: LetterFilter,
    settle: Settle,
    *,
    gate: Sequence[str],
    further: Further | None,
) -> Batch | KeyUsedForAnother:
    """`settle_batch`, or what it answered when the key was first used for this batch."""
    key = once.company_id, once.idempotency_key
    if not await idempotency.use(unit.connection, *key, once.used_for):
        return KeyUsedForAnother()
    begins = "" if further is None else f"{further.topic}/{further.place.partition}/{further.place.offset}"
    kept = await replay_answers.kept(unit.connection, *key, begins)
    if kept is not None:
        return KEPT.validate_python(kept)
    batch = await settle_batch(unit, chosen, settle, gate=gate, further=further)
    await replay_answers.keep(unit.connection, *key, begins, KEPT.dump_python(batch, mode="json"))
    return batch


async def _topics(unit: UnitOfWork, chosen: LetterFilter, gate: Sequence[str], *more: str) -> list[str]:
    counted = await reports.tally(unit.connection, chosen)
    return in_order((*more, *(each.topic for each in counted)), gate)


def in_order(topics: Iterable[str], gate: Sequence[str]) -> list[str]:
    """In which order to replay topics: first those that stop steps."""
    return sorted(set(topics), key=lambda topic: (topic not in gate, topic))
