"""Dead letters that an operator settles: applied as their records would have been, or dropped."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from cadence_contracts.dead_letters import Reason
from cadence_contracts.inbound import AnyInbound
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.page import apply_page
from cadence_engine.handlers.received import DeadLetter, Page, Received
from cadence_engine.storage import settling_letters
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.letter_filter import LetterFilter, LetterState
from cadence_engine.storage.relay import LetterId
from cadence_engine.storage.settling_letters import BEGINNING, Place

AT_ONCE = 500
TWO_COMPANIES = "the record names one company in its event and another beside it: only its producer can mend that"


class Read(Protocol):
    """Reads a letter's record as the consumer would, `now` being the database's clock."""

    def __call__(self, letter: DeadLetter, now: datetime) -> Received[AnyInbound] | DeadLetter: ...


@dataclass(frozen=True, slots=True)
class StillDead:
    """A letter that was not understood this time either; it stays, with this reason, and nothing of it is told here."""

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of some letters of a topic; `after` is where the next ones begin, None where there are none."""

    applied: int = 0
    seen: int = 0
    """Settled without effect, as an event with their id was applied before."""
    dropped: int = 0
    still_dead: tuple[StillDead, ...] = ()
    unpublished: int = 0
    """Left alone, as they are not on the dead-letter topic yet: to be tried again when the relay has caught up."""
    after: Place | None = None

    @property
    def letters(self) -> int:
        """How many were looked at."""
        return self.applied + self.seen + self.dropped + len(self.still_dead) + self.unpublished


async def replay(
    unit: UnitOfWork,
    chosen: LetterFilter,
    topic: str,
    *,
    actor: str,
    reason: str | None,
    read: Read,
    policy: Policy,
    after: Place = BEGINNING,
    at_most: int = AT_ONCE,
) -> Settled:
    """Apply the next letters of one topic as a page of the consumer, each at most once whoever replays it beside us.

    The record's own Kafka time counts, so that older knowledge never replaces newer, and an id that was applied
    meanwhile is not applied again. What is applied becomes a tombstone in the same transaction: to ask again after a
    crash, or twice, is harmless. Raises storage errors alone; then nothing of the batch was done.
    """
    locked, letters, last = await _take(unit, chosen, topic, after, at_most)
    read_letters = [(letter, _read(letter, read, unit.now)) for letter in letters]
    received = [outcome for _, outcome in read_letters if isinstance(outcome, Received)]
    still_dead = [outcome for _, outcome in read_letters if isinstance(outcome, DeadLetter)]
    understood = [letter for letter, outcome in read_letters if isinstance(outcome, Received)]
    await settling_letters.settle(unit.connection, understood, LetterState.REPLAYED, actor=actor, reason=reason)
    await settling_letters.tell_again(unit.connection, still_dead)
    counts = await apply_page(unit, Page(spans=(), received=tuple(received), dead_letters=()), policy)
    return Settled(
        applied=counts.applied,
        seen=counts.seen,
        still_dead=tuple(
            StillDead(each.topic, each.partition, each.offset, each.reason, each.detail) for each in still_dead
        ),
        unpublished=locked - len(letters),
        after=last,
    )


async def drop(
    unit: UnitOfWork,
    chosen: LetterFilter,
    topic: str,
    *,
    actor: str,
    reason: str,
    after: Place = BEGINNING,
    at_most: int = AT_ONCE,
) -> Settled:
    """Forget the records of the next letters of one topic; who did it and why stays."""
    locked, letters, last = await _take(unit, chosen, topic, after, at_most)
    await settling_letters.settle(unit.connection, letters, LetterState.DROPPED, actor=actor, reason=reason)
    return Settled(dropped=len(letters), unpublished=locked - len(letters), after=last)


async def _take(
    unit: UnitOfWork, chosen: LetterFilter, topic: str, after: Place, at_most: int
) -> tuple[int, list[DeadLetter], Place | None]:
    """How many were locked, those of them that are published, and the place of the last one, None at the end."""
    locked = await settling_letters.lock(unit.connection, chosen, topic, after=after, at_most=at_most)
    # The relay publishes a letter as it was: until it has, the record must stay.
    waiting = await settling_letters.unpublished(unit.connection, locked) if locked else set()
    published = [each for each in locked if LetterId(each.topic, each.partition, each.offset) not in waiting]
    full = len(locked) == at_most
    return len(locked), published, Place(locked[-1].partition, locked[-1].offset) if full else None


def _read(letter: DeadLetter, read: Read, now: datetime) -> Received[AnyInbound] | DeadLetter:
    outcome = read(letter, now)
    if isinstance(outcome, Received) and letter.company_id not in (None, outcome.event.company_id):
        # Whoever may replay the one company's letters may not act for the other.
        return replace(letter, reason=Reason.INVALID_DATA, detail=TWO_COMPANIES)
    return outcome
