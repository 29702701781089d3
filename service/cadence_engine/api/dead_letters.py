"""Dead letters that name the caller's company: look at them, replay them, drop them."""

from collections.abc import Sequence
from dataclasses import replace as changed
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from cadence_contracts.dead_letters import Reason
from cadence_engine.api.call import Call
from cadence_engine.api.choosing import AN_EXAMPLE, Moment
from cadence_engine.api.credentials import demand
from cadence_engine.api.following import FurtherPage, InBatches, NextBatch, NextPage, following
from cadence_engine.api.idempotency import MaybeIdempotent
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked, ExternalId, Told, Words
from cadence_engine.domain.api_key import Scope
from cadence_engine.handlers import replay as handler
from cadence_engine.handlers.idempotency import KeyUsedForAnother
from cadence_engine.handlers.letter_content import content_of
from cadence_engine.handlers.replay import Settled
from cadence_engine.handlers.settle_letters import (
    Batch,
    Further,
    Once,
    Settle,
    replay_once,
    settle_batch,
    settle_batch_once,
)
from cadence_engine.storage import cursor
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.letter_filter import LetterFilter, LetterState
from cadence_engine.storage.relay import LetterId
from cadence_engine.storage.reports import dead_letters as reports
from cadence_engine.storage.reports.dead_letters import LetterLine
from cadence_engine.storage.settling_letters import Place

operations = Operations("Dead letters", "Records that could not be understood, of those that name your company.")

INT64 = 2**63
A_TOPIC = (
    "as the deployment names it, with its prefix (`CADENCE_TOPIC_PREFIX`): take it from a letter's `topic`; without a "
    "prefix it is an event's type, such as contact.created"
)
Topic = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$", description=A_TOPIC)]
Partition = Annotated[int, Field(ge=0, lt=2**31)]
Offset = Annotated[int, Field(ge=0, lt=INT64)]


class LetterPath(Asked):
    topic: Topic
    partition: Partition
    offset: Offset

    @property
    def id(self) -> LetterId:
        return LetterId(self.topic, self.partition, self.offset)


class LetterChoice(Asked):
    """All that is given must be true of a letter."""

    topic: Topic | None = None
    code: Reason | None = Field(None, description="why it is dead: its `reason`")
    contact_id: ExternalId | None = Field(None, description="whom the record names, where that could be read")
    since: Moment | None = Field(None, description=f"found dead then or later; {AN_EXAMPLE}")
    until: Moment | None = Field(None, description=f"found dead then or earlier; {AN_EXAMPLE}")

    def of(self, company_id: str, state: LetterState) -> LetterFilter:
        return LetterFilter(
            company_id,
            state,
            self.topic,
            None if self.code is None else self.code.value,
            self.since,
            self.until,
            contact_id=self.contact_id,
        )


class Listing(LetterChoice):
    state: LetterState = LetterState.KEPT
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: FurtherPage = None


class OneOrAll(LetterChoice, InBatches):
    """`letter`: only this one."""

    letter: LetterPath | None = None
    dry_run: bool = Field(False, description="only count them")

    def filter(self, company_id: str) -> LetterFilter:
        return changed(self.of(company_id, LetterState.KEPT), letter=None if self.letter is None else self.letter.id)


class ReplayAsked(OneOrAll):
    reason: Words | None = Field(None, description="why, for the record")


class DropAsked(OneOrAll):
    reason: Words = Field(description="why nobody needs it; kept, so name no person")


class LetterTold(Told):
    """A dead letter without its record; a tombstone has none any more."""

    topic: str
    partition: int
    offset: int
    created_at: datetime = Field(description="when it was found dead")
    contact_id: str | None
    reason: str = Field(description="why it is dead; `code` chooses by it")
    detail: str = Field(description="what is wrong with the record, and what is allowed")
    bytes: int
    state: LetterState
    settled_at: datetime | None
    settled_by: str | None
    settled_reason: str | None


class LetterList(Told):
    """The newest first."""

    letters: Sequence[LetterTold]
    next: NextPage


class LetterShown(LetterTold):
    """With its record, decoded as far as possible; personal data masked, unless asked for in full."""

    key: Any
    headers: Sequence[tuple[str, Any]]
    value: Any


class Fullness(Asked):
    full: bool = Field(False, description="with personal data; needs the scope `admin` too")


class StillDeadTold(Told):
    """A letter that was not understood this time either: it stays, with this reason."""

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str = Field(description="what is wrong with the record, and what is allowed")


class SettledTold(Told):
    """Of this batch."""

    counted: int | None = Field(description="of a dry run: how many there are")
    applied: int
    seen: int = Field(description="without effect: an event with their id was applied before")
    dropped: int
    still_dead: Sequence[StillDeadTold] = Field(description="those of this batch, which has 500 letters at most")
    unpublished: int = Field(description="not on the dead-letter topic yet: they stay; ask again later")
    next: NextBatch


@operations.add(
    "GET",
    "/v1/dead-letters",
    scope=Scope.READ,
    answers={200: LetterList},
    refusals=[Code.BAD_CURSOR],
)
async def list_dead_letters(call: Call, query: Listing) -> Answer:
    """The newest first, without what they hold.

    A `topic` is named with the deployment's prefix, as each letter's `topic` is. A record that names no company, as one
    that is no JSON, is not here: the platform's own operators see it with `cadence-engine dead-letters list
    --all-companies`.
    """
    chosen = query.of(call.company_id, query.state)
    with following(query.cursor):
        async with call.reading() as connection:
            page = await reports.listed(connection, chosen, after=query.cursor, at_most=query.limit)
    return Answer(LetterList(letters=[LetterTold.model_validate(each) for each in page.lines], next=page.next_cursor))


@operations.add(
    "GET",
    "/v1/dead-letters/{topic}/{partition}/{offset}",
    scope=Scope.READ,
    answers={200: LetterShown},
    refusals=[Code.LETTER_NOT_FOUND],
)
async def show_dead_letter(call: Call, path: LetterPath, query: Fullness) -> Answer:
    """One letter, decoded as far as possible, and why it is dead."""
    if query.full:
        demand(call.principal, Scope.ADMIN)
    async with call.reading() as connection:
        found = await reports.one(connection, call.company_id, path.id)
    if found is None:
        raise Problem(Code.LETTER_NOT_FOUND)
    content = content_of(found, full=query.full)
    own = _told(found.line)
    return Answer(LetterShown(**own, key=content.key, headers=content.headers, value=content.value))


@operations.add(
    "POST",
    "/v1/dead-letters/replay",
    scope=Scope.ADMIN,
    answers={200: SettledTold},
    refusals=[Code.LETTER_NOT_FOUND, Code.IDEMPOTENCY_KEY_USED, Code.BAD_CURSOR],
)
async def replay_letters(call: Call, headers: MaybeIdempotent, body: ReplayAsked) -> Answer:
    """Apply what is understood by now, each letter once, at its record's own time; up to 500 of a topic in a call.

    Count them first with `dryRun`, which uses no key. To repeat it is harmless: what was applied before, be it under
    another offset, is not applied again. With an `Idempotency-Key` it also gets the same answer: give all batches of
    one replay the same, and after an interruption begin again with it and without `cursor`.
    """

    async def settle(unit: UnitOfWork, chosen: LetterFilter, topic: str, after: Place) -> Settled:
        return await handler.replay(
            unit,
            chosen,
            topic,
            actor=call.actor,
            reason=body.reason,
            read=call.engine.read_letter,
            policy=call.engine.policy,
            after=after,
        )

    key = headers.idempotency_key
    once = None if key is None else replay_once(call.company_id, key, body.filter(call.company_id), body.reason)
    return await _settle(call, body, settle, once)


@operations.add(
    "POST",
    "/v1/dead-letters/drop",
    scope=Scope.ADMIN,
    answers={200: SettledTold},
    refusals=[Code.LETTER_NOT_FOUND, Code.BAD_CURSOR],
)
async def drop_letters(call: Call, body: DropAsked) -> Answer:
    """Forget what records held; that they were there, who dropped them and why stays."""

    async def settle(unit: UnitOfWork, chosen: LetterFilter, topic: str, after: Place) -> Settled:
        return await handler.drop(unit, chosen, topic, actor=call.actor, reason=body.reason, after=after)

    return await _settle(call, body, settle)


async def _settle(call: Call, body: OneOrAll, settle: Settle, once: Once | None = None) -> Answer:
    chosen = body.filter(call.company_id)
    if body.dry_run:
        return Answer(_settled(Settled(), None, counted=await _count(call, chosen)))
    gate, begins = call.engine.gate_topics, _begins(call, body)

    async def work(unit: UnitOfWork) -> Batch:
        if once is None:
            batch = await settle_batch(unit, chosen, settle, gate=gate, further=begins)
        else:
            answered = await settle_batch_once(unit, once, chosen, settle, gate=gate, further=begins)
            if isinstance(answered, KeyUsedForAnother):
                raise Problem(Code.IDEMPOTENCY_KEY_USED)
            batch = answered
        if chosen.letter is not None and not batch.settled.letters:
            raise Problem(Code.LETTER_NOT_FOUND)
        return batch

    with following(body.cursor):
        batch = await call.run(work)
    behind = batch.further
    further = (
        None if behind is None else cursor.write(body.given_for(call), (behind.topic, *behind.place, behind.until))
    )
    return Answer(_settled(batch.settled, further))


def _begins(call: Call, body: OneOrAll) -> Further | None:
    if body.cursor is None:
        return None
    with following(body.cursor):
        topic, partition, offset, until = cursor.read(body.given_for(call), body.cursor, (str, int, int, datetime))
    return Further(topic, Place(partition, offset), until)


async def _count(call: Call, chosen: LetterFilter) -> int:
    async with call.reading() as connection:
        total = sum(each.letters for each in await reports.tally(connection, chosen))
    if chosen.letter is not None and not total:
        raise Problem(Code.LETTER_NOT_FOUND)
    return total


def _settled(done: Settled, further: str | None, *, counted: int | None = None) -> SettledTold:
    return SettledTold(
        counted=counted,
        applied=done.applied,
        seen=done.seen,
        dropped=done.dropped,
        still_dead=[StillDeadTold.model_validate(each) for each in done.still_dead],
        unpublished=done.unpublished,
        next=further,
    )


def _told(line: LetterLine) -> dict[str, Any]:
    return {name: getattr(line, name) for name in LetterTold.model_fields}
