"""What the promises say of a whole history: who enters, what a record stops, what runs and what is held."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from cadence_engine.domain.cadence import API, Definition, ReentryRule
from cadence_engine.domain.operate import Operation
from tests.domain.histories.drawn import CONTACTS, CREATED, NEW_YORK, PURCHASED, TOKYO, Record
from tests.domain.histories.local_time import end_of
from tests.domain.histories.operated import Operated, Order, Turns
from tests.domain.histories.passage import OPERATOR, SCHEDULE
from tests.domain.histories.person import Person

MAX_LAG = timedelta(seconds=5)
EVER = datetime.min.replace(tzinfo=UTC)


@dataclass
class Plan:
    """A cadence as it stands. `held_at`: since when it is paused, or out of use if it is `archived`; `turns`: for what
    goes on overdue after a pause.
    """

    cadence_id: UUID
    definition: Definition
    version: int = 1
    held_at: datetime | None = None
    archived: bool = False
    turns: Turns = field(default_factory=lambda: Turns(EVER))


@dataclass
class Book:
    """The model: told the same as the engine, it foretells what the engine answers. `now` is the history's clock."""

    now: datetime
    plans: dict[str, Plan]
    company_zone: str | None = NEW_YORK
    people: dict[str, Person] = field(default_factory=lambda: {name: Person() for name in CONTACTS})
    heard_of: set[str] = field(default_factory=set)
    conversations: set[str] = field(default_factory=set)
    passages: dict[UUID, Operated] = field(default_factory=dict)

    def apply(self, page: Sequence[Record], ids: Iterable[UUID]) -> list[str]:
        """A page of one stream; what came of the enrollments that it asks for, which take `ids`."""
        reachable = {name: person.conversation for name, person in self.people.items()}
        counted = [record for record in page if self._counts(record)]
        stream = page[0].stream
        if stream == "deletions":
            for record in reversed(page):
                self._cancel(list(self._doomed(record.contact)), "contact_deleted", record)
        told = {record.contact for record in counted if stream == "contacts"}
        moved = {name for name, person in self.people.items() if person.conversation != reachable[name]}
        self.unpark(told | (moved if stream == "messages" else set()))
        asked = page if stream == "purchases" else counted
        return [
            self.enroll(
                key, record.contact, trigger, record.at, _cause(record), next_id, self._known(record), record.product
            )
            for (record, key, trigger), next_id in zip(self._triggered(asked), ids, strict=False)
        ]

    def enroll(
        self,
        key: str,
        contact: str,
        trigger: str,
        triggered_at: datetime,
        cause: dict[str, Any],
        enrollment_id: UUID,
        conversation: str | None,
        product: str | None = None,
    ) -> str:
        """`enrolled`, `already`, or the reason against it."""
        plan = self.plans[key]
        refusal = self._refusal(plan, contact, conversation, trigger, triggered_at)
        if refusal:
            return refusal
        passage = Operated(
            id=enrollment_id,
            cadence_id=plan.cadence_id,
            plan=plan.definition,
            version=plan.version,
            contact=contact,
            trigger=trigger,
            triggered_at=triggered_at,
            started_at=self.now,
            conversation=conversation,
            product=product,
        )
        passage.start(self.zone(contact), cause)
        self.passages[enrollment_id] = passage
        return "enrolled"

    def run_due(self, watermark: datetime) -> None:
        if self.now - watermark > MAX_LAG:
            return
        for passage in self.passages.values():
            if passage.status == "active" and passage.due and passage.due <= watermark and not self._held(passage):
                passage.run(self.people[passage.contact], self.zone(passage.contact), self.now)

    def unpark(self, contacts: Collection[str], cause: dict[str, Any] = SCHEDULE) -> None:
        for passage in self.passages.values():
            if passage.contact in contacts and passage.status == "parked" and not self._held(passage):
                passage.look_again(self.people[passage.contact], self.now, cause)

    def misfits(self, key: str) -> list[Operated]:
        """What a pause, a resumption or the archiving has still to move, in the order of the contacts."""
        plan = self.plans[key]
        misfit = ("paused", "cadence") if plan.held_at is None else ("active", None)
        mine = [p for p in self.passages.values() if p.plan.key == key and p.live]
        found = [p for p in mine if plan.archived or (p.status, p.paused_by) == misfit]
        return sorted(found, key=lambda passage: passage.contact)

    def move(self, key: str, rows: int) -> None:
        plan = self.plans[key]
        held_at, turns = plan.held_at, plan.turns
        turns.following = max(turns.following, self.now)
        for passage in self.misfits(key)[:rows]:
            if plan.archived:
                passage.cancel("cadence_archived", OPERATOR, self.now, note="because")
            elif held_at is None:
                passage.resume(self.now, OPERATOR, passage.shifted(self.now, turns))
            else:
                passage.pause(held_at, self.now, OPERATOR)

    def operate(self, passages: Iterable[Operated], operation: Operation, **by: Any) -> list[str]:
        """What comes of an order about these."""
        turns = Turns(self.now)
        return [
            each.obey(Order(operation, self.now, self.zone(each.contact), not self._held(each), turns, **by))
            for each in passages
        ]

    def zone(self, contact: str) -> str:
        """Where the days of a contact are counted: its own zone, its company's, or the default."""
        candidates = (self.people[contact].field("time_zone"), self.company_zone)
        return next((zone for zone in candidates if zone in (NEW_YORK, TOKYO)), "UTC")

    def _counts(self, record: Record) -> bool:
        self.heard_of.add(record.contact)
        person = self.people[record.contact]
        if not person.apply(record):
            return False
        if record.stream == "messages":
            self._noted(record)
        if record.stream == "preferences" and record.stop and person.opted_out:
            self._cancel(self._live(record.contact), "opted_out", record)
        return True

    def _noted(self, record: Record) -> None:
        if record.conversation:
            self.conversations.add(record.conversation)
        if record.inbound:
            answered = [p for p in self._live(record.contact) if p.is_reply(record.at)]
            self._cancel(answered, "replied", record, messageId=record.id)

    def _cancel(self, passages: Iterable[Operated], reason: str, record: Record, **more: str) -> None:
        for passage in passages:
            passage.cancel(reason, _cause(record), self.now, **more)

    def _known(self, record: Record) -> str | None:
        return record.conversation if record.conversation in self.conversations else None

    def _doomed(self, contact: str) -> Iterable[Operated]:
        person = self.people[contact]
        return (
            p for p in self._live(contact) if person.forgets(p.triggered_at) or (person.erased and p.trigger == API)
        )

    def _live(self, contact: str) -> list[Operated]:
        return [p for p in self.passages.values() if p.contact == contact and p.live]

    def _held(self, passage: Operated) -> bool:
        return self.plans[passage.plan.key].held_at is not None

    def _triggered(self, records: Iterable[Record]) -> Iterable[tuple[Record, str, str]]:
        for record in records:
            where = self.plans["upsell"].definition.trigger.where
            if record.created and self.plans["onboarding"].held_at is None:
                yield record, "onboarding", CREATED
            bought = record.stream == "purchases" and (not where or record.product in where["product"])
            if bought and self.plans["upsell"].held_at is None:
                yield record, "upsell", PURCHASED

    def _refusal(
        self, plan: Plan, contact: str, conversation: str | None, trigger: str, triggered_at: datetime
    ) -> str | None:
        person = self.people[contact]
        mine = [p for p in self.passages.values() if p.contact == contact and p.cadence_id == plan.cadence_id]
        if plan.held_at is not None:
            return "cadence_not_active"
        if contact not in self.heard_of:
            return "contact_not_found"
        if conversation and conversation not in self.conversations:
            return "conversation_not_found"
        if any(p.live for p in mine):
            return "already"
        if person.forgets(triggered_at) or (person.erased and trigger == API):
            return "contact_erased"
        if person.opted_out:
            return "opted_out"
        inbound, definition = person.last_inbound_at, plan.definition
        if definition.cancel_on_reply and inbound and inbound - triggered_at >= definition.reply_grace:
            return "replied"
        return None if not mine or self._may_again(definition, mine, inbound, triggered_at) else "reentry"

    def _may_again(
        self, definition: Definition, mine: list[Operated], inbound: datetime | None, triggered_at: datetime
    ) -> bool:
        last = max(mine, key=lambda passage: (passage.started_at, passage.ended_at))
        rule = definition.reentry
        if rule.rule is ReentryRule.NEW_ACTIVITY:
            return inbound is not None and inbound > last.started_at
        if rule.rule is ReentryRule.AFTER:
            assert rule.after
            assert last.ended_at
            return triggered_at >= end_of(last.ended_at, rule.after, self.zone(last.contact))
        return rule.rule is ReentryRule.ALWAYS


def _cause(record: Record) -> dict[str, Any]:
    return {"source": "/crm", "id": record.id}
