"""A history: anything that can happen, in any order, to the engine and to the model of its promises alike."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from cadence_engine.domain.cadence import API, Definition
from cadence_engine.domain.company import Company
from cadence_engine.domain.events import PARKED, RESUMED
from cadence_engine.domain.events import SCHEDULE as SCHEDULED
from cadence_engine.domain.gate import GateReading
from cadence_engine.domain.known import Known
from cadence_engine.domain.operate import Operation, Pause, Resume, RunNow, Skip
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.domain.resume import ResumeMode
from tests.domain.histories import checks, drawn
from tests.domain.histories.book import Book, Plan
from tests.domain.histories.consumer import Consumer
from tests.domain.histories.drawn import GATE_STREAMS, STREAMS, Record, Stream
from tests.domain.histories.engine import said
from tests.domain.histories.operated import Operated, Turns
from tests.domain.histories.passage import COMPANY, OPERATOR, SCHEDULE
from tests.domain.histories.rows import StaleError

ONBOARDING, UPSELL = "onboarding", "upsell"
MOMENT = timedelta(microseconds=1)
AS_SAID_BEFORE = "its pause was until now"

OFFS = some.sampled_from([timedelta(), timedelta(), MOMENT, -MOMENT, timedelta(hours=1)])

contacts = some.sampled_from(drawn.CONTACTS)
keys = some.sampled_from([ONBOARDING, UPSELL])
streams = some.sampled_from(STREAMS)


class History(RuleBasedStateMachine):
    """The clock only moves forward. A record happens at the clock's time, and is applied at once or when its stream,
    stalled meanwhile, catches up; `pending` are those that wait."""

    def __init__(self) -> None:
        super().__init__()
        self.serial = count(1)
        self.pending: dict[Stream, list[Record]] = {stream: [] for stream in STREAMS}
        self.stalled: set[Stream] = set()
        self.applied: list[Record] = []
        self.reader = checks.LogReader()

    @initialize(
        start=drawn.STARTS,
        onboarding=drawn.definitions(ONBOARDING),
        upsell=drawn.definitions(UPSELL),
        known=some.sampled_from([("name", "phone"), ("name", "phone"), ("phone",), ()]),
        zone=drawn.ZONES,
    )
    def begin(
        self, start: datetime, onboarding: Definition, upsell: Definition, known: tuple[str, ...], zone: str | None
    ) -> None:
        start = start.astimezone(UTC)
        plans = {plan.key: Plan(UUID(int=next(self.serial)), plan) for plan in (onboarding, upsell)}
        self.engine = Consumer(start, Company(COMPANY, time_zone=Known(drawn.NEW_YORK)))
        self.book = Book(start, plans)
        for plan in plans.values():
            self.engine.publish(plan.cadence_id, plan.definition)
        for contact in drawn.CONTACTS[: len(known)]:
            self.contact_told(
                contact, True, *(True if name in known else None for name in ("name", "phone")), zone=zone
            )

    @rule(by=drawn.TICKS)
    def time_passes(self, by: timedelta) -> None:
        self._set_clock(self.book.now + by)

    @precondition(lambda self: self._next_due() is not None)
    @rule(offs=some.lists(OFFS, max_size=6))
    def time_goes_by_what_is_due(self, offs: list[timedelta]) -> None:
        for off in offs:
            self._pass_to_due(off)
            self.worker_looks(crashes=False)

    @precondition(lambda self: self._next_due() is not None)
    @rule()
    def the_moment_comes(self) -> None:
        self.time_goes_by_what_is_due([timedelta()])

    @rule(crashes=some.booleans())
    def worker_looks(self, crashes: bool) -> None:
        """A crash before the commit leaves nothing; what is saved cannot be saved again."""
        watermark = self._watermark()
        decisions = self.engine.run_due(GateReading(self.book.now, watermark, None))
        if crashes:
            return
        checks.gate_was_open(decisions, self.book.now, [r for s in GATE_STREAMS for r in self.pending[s]])
        self.engine.save(decisions)
        self.book.run_due(watermark)
        for decision in decisions:
            try:
                self.engine.save([decision])
            except StaleError:
                continue
            raise AssertionError("one decision was saved twice")
        self._compare()

    @rule(
        contact=contacts,
        created=some.booleans(),
        name=some.booleans() | some.none(),
        phone=some.booleans() | some.none(),
        zone=drawn.ZONES | some.just(""),
    )
    def contact_told(
        self, contact: str, created: bool, name: bool | None, phone: bool | None, zone: str | None
    ) -> None:
        """True tells a new value, False clears the field, None says nothing of it; so does the zone ''."""
        serial = next(self.serial)
        fields: dict[str, str | None] = {}
        if name is not None:
            fields["name"] = f"Name {serial:07}" if name else None
        if phone is not None:
            fields["phone"] = f"+1555{serial:07}" if phone else None
        if zone != "":
            fields["time_zone"] = zone
        self._happens(Record(f"r{serial}", "contacts", contact, self.book.now, created, tuple(fields.items())))

    @rule(contact=contacts, inbound=some.booleans(), conversation=some.sampled_from([None, "a", "b"]))
    def message(self, contact: str, inbound: bool, conversation: str | None) -> None:
        conversation = conversation and f"{contact}-{conversation}"
        record_id = f"r{next(self.serial)}"
        self._happens(Record(record_id, "messages", contact, self.book.now, inbound=inbound, conversation=conversation))

    @rule(contact=contacts, what=some.sampled_from(["stop", "resume", "resume", "deletion"]))
    def contact_decides(self, contact: str, what: str) -> None:
        stream: Stream = "deletions" if what == "deletion" else "preferences"
        self._happens(Record(f"r{next(self.serial)}", stream, contact, self.book.now, stop=what == "stop"))

    @rule(
        contact=contacts,
        product=some.sampled_from(["pro", "pro", "starter", None]),
        conversation=some.sampled_from([None, None, "a"]),
    )
    def purchase(self, contact: str, product: str | None, conversation: str | None) -> None:
        conversation = conversation and f"{contact}-{conversation}"
        record_id = f"r{next(self.serial)}"
        self._happens(
            Record(record_id, "purchases", contact, self.book.now, product=product, conversation=conversation)
        )

    @rule(stream=streams)
    def stream_stalls(self, stream: Stream) -> None:
        self.stalled.add(stream)

    @rule(contact=contacts, stream=some.sampled_from(GATE_STREAMS), off=OFFS, by=drawn.TICKS)
    def consumer_falls_behind(self, contact: str, stream: Stream, off: timedelta, by: timedelta) -> None:
        """Something that may stop a send happens about when it is due, and is not read when the worker looks."""
        self._pass_to_due(off)
        self.stream_stalls(stream)
        self._happens(Record(f"r{next(self.serial)}", stream, contact, self.book.now))
        self.time_passes(by)
        self.worker_looks(crashes=False)

    @precondition(lambda self: self.stalled)
    @rule(choice=some.integers(0, 4), at_most=some.integers(1, 5))
    def stream_catches_up(self, choice: int, at_most: int) -> None:
        stream = sorted(self.stalled)[choice % len(self.stalled)]
        page = self.pending[stream][:at_most]
        self.pending[stream] = self.pending[stream][at_most:]
        if not self.pending[stream]:
            self.stalled.discard(stream)
        self._apply(page)

    @precondition(lambda self: self.applied)
    @rule(choice=some.integers(0, 1000), late=some.booleans())
    def record_comes_again(self, choice: int, late: bool) -> None:
        """Nothing happens twice: the inbox sees to it, and what tells facts is harmless even where that forgot it."""
        record = self.applied[choice % len(self.applied)]
        apply = self.engine.apply_page
        if late:
            if not self._tells_facts_alone(record):
                return
            apply = self.engine.apply_new
        known, logged = self.engine.contacts[record.contact], len(self.engine.log)
        assert apply([record], self._ids()) == []
        assert self.engine.contacts[record.contact] == known
        assert {event.type for event in self.engine.log[logged:]} <= {PARKED, RESUMED}
        if late:
            self.book.apply([record], self._ids())
        self._compare()

    @rule(key=keys, contact=contacts, conversation=some.sampled_from([None, None, "a"]))
    def operator_enrolls(self, key: str, contact: str, conversation: str | None) -> None:
        plan, enrollment_id = self.book.plans[key], self._id()
        conversation = conversation and f"{contact}-{conversation}"
        outcome = said(self.engine.enroll_by_operator(plan.cadence_id, contact, enrollment_id, conversation))
        assert outcome == self.book.enroll(key, contact, API, self.book.now, OPERATOR, enrollment_id, conversation)
        self._compare()

    @precondition(lambda self: self.book.passages)
    @rule(data=some.data(), choice=some.integers(0, 9), at_most=some.integers(1, 4), ended_too=some.booleans())
    def operator_orders(self, data: some.DataObject, choice: int, at_most: int, ended_too: bool) -> None:
        """One enrollment, or a batch."""
        chosen = self._chosen(choice, at_most, ended_too)
        self._order(chosen, data.draw(drawn.operations(self.book.now, [each.step_key for each in chosen])))

    @precondition(lambda self: any(each.live for each in self.book.passages.values()))
    @rule(choice=some.integers(0, 9), at_most=some.integers(1, 4), by=drawn.TICKS)
    def operator_skips(self, choice: int, at_most: int, by: timedelta) -> None:
        """Whoever waits at the step of the first that is chosen; and whoever is behind it is left."""
        self._set_clock(self.book.now + by)
        chosen = self._chosen(choice, at_most)
        self._order(chosen, Skip(chosen[0].step_key or ""))

    @precondition(lambda self: any(each.status == "active" for each in self.book.passages.values()))
    @rule(choice=some.integers(0, 9), at_most=some.integers(1, 4))
    def operator_hastens(self, choice: int, at_most: int) -> None:
        self._order(self._chosen(choice, at_most), RunNow())
        self.worker_looks(crashes=False)

    @precondition(lambda self: self.book.passages)
    @rule(by=drawn.TICKS, more=drawn.TICKS, mode=some.sampled_from(ResumeMode), skip=some.booleans())
    def all_are_held_for_a_time(self, by: timedelta, more: timedelta, mode: ResumeMode, skip: bool) -> None:
        """With an end of their pause that may come before it is ended, and long enough to miss steps."""
        everyone = list(self.book.passages.values())
        self._order(everyone, Pause(self.book.now + by))
        self._set_clock(self.book.now + more)
        if skip:
            self._order(everyone, Skip(everyone[-1].step_key or ""))
        self._order(everyone, Resume(mode))

    @rule()
    def pauses_end(self) -> None:
        """Those that were to end by now."""
        ending = [each for each in self.book.passages.values() if each.resume_at and each.resume_at <= self.book.now]
        assert self.engine.whose_pause_ends() == [each.id for each in ending]
        outcomes = self.engine.operate([each.id for each in ending], Resume(), SCHEDULED, AS_SAID_BEFORE)
        assert outcomes == self.book.operate(ending, Resume(), by=SCHEDULE, reason=AS_SAID_BEFORE)
        assert set(outcomes) <= {"done"}
        self._compare()

    @rule(data=some.data(), key=keys)
    def new_version(self, data: some.DataObject, key: str) -> None:
        plan = self.book.plans[key]
        plan.definition, plan.version = data.draw(drawn.definitions(key)), plan.version + 1
        self.engine.publish(plan.cadence_id, plan.definition)

    @rule(key=keys, rows=some.integers(0, 3))
    def pause_or_resume(self, key: str, rows: int) -> None:
        """The flag is turned, though a pause ends only when it is settled; up to `rows` enrollments follow at once."""
        plan = self.book.plans[key]
        if not plan.archived and (plan.held_at is None or not self.book.misfits(key)):
            plan.held_at = self.book.now if plan.held_at is None else None
            plan.turns = Turns(self.book.now)
            self.engine.hold(plan.cadence_id, CadenceStatus.PAUSED if plan.held_at else CadenceStatus.ACTIVE)
        self._move(key, rows)

    @rule(key=keys, rows=some.integers(0, 3), by=drawn.TICKS, meant=some.sampled_from([False, False, False, True]))
    def archived_and_brought_back(self, key: str, rows: int, by: timedelta, meant: bool) -> None:
        """Whoever is in it is cancelled, and it comes back paused once that is done. Seldom: it ends much."""
        if not meant:
            return
        plan = self.book.plans[key]
        plan.archived, plan.held_at = True, self.book.now
        self.engine.hold(plan.cadence_id, CadenceStatus.ARCHIVED)
        self._move(key, rows)
        self.time_passes(by)
        self.worker_looks(crashes=False)
        if not self.book.misfits(key):
            plan.archived, plan.held_at = False, self.book.now
            self.engine.hold(plan.cadence_id, CadenceStatus.PAUSED)

    @rule(
        key=keys,
        by=drawn.TICKS,
        rows=some.integers(0, 3),
        meanwhile=some.sampled_from([None, None, Pause(), Resume(), RunNow()]),
    )
    def pause_goes_by(self, key: str, by: timedelta, rows: int, meanwhile: Operation | None) -> None:
        self.pause_or_resume(key, rows)
        self._set_clock(self.book.now + by)
        self._move(key, 10)
        if meanwhile:
            self._order(list(self.book.passages.values()), meanwhile)
        self._set_clock(self.book.now + by)
        self.pause_or_resume(key, rows)

    @precondition(lambda self: any(self.book.misfits(key) for key in self.book.plans))
    @rule()
    def enrollments_follow(self) -> None:
        for key in self.book.plans:
            self._move(key, 10)

    @rule(by_operator=some.booleans())
    def parked_are_looked_at(self, by_operator: bool) -> None:
        if by_operator:
            self.engine.retry_parked()
        else:
            self.engine.unpark(drawn.CONTACTS)
        self.book.unpark(drawn.CONTACTS, OPERATOR if by_operator else SCHEDULE)
        self._compare()

    @rule(zone=drawn.ZONES)
    def company_moves(self, zone: str | None) -> None:
        self.engine.tell_company(zone)
        self.book.company_zone = zone

    def _happens(self, record: Record) -> None:
        self.pending[record.stream].append(record)
        if record.stream not in self.stalled:
            page, self.pending[record.stream] = self.pending[record.stream], []
            self._apply(page)

    def _apply(self, page: list[Record]) -> None:
        if not page:
            return
        first = next(self.serial)
        outcomes = self.engine.apply_page(page, self._ids(first))
        assert [said(outcome) for outcome in outcomes] == self.book.apply(page, self._ids(first))
        self.applied += page
        self._compare()

    def _chosen(self, choice: int, at_most: int, ended_too: bool = False) -> list[Operated]:
        candidates = [each for each in self.book.passages.values() if each.live or ended_too]
        return candidates[choice % len(candidates) :][:at_most] if candidates else []

    def _order(self, chosen: list[Operated], operation: Operation) -> None:
        outcomes = self.engine.operate([each.id for each in chosen], operation)
        assert outcomes == self.book.operate(chosen, operation)
        self._compare()

    def _move(self, key: str, rows: int) -> None:
        self.engine.move(self.book.plans[key].cadence_id, rows)
        self.book.move(key, rows)
        self._compare()

    def _compare(self) -> None:
        self.reader.read(self.engine.log, self.book)
        checks.enrollments(self.engine, self.book)
        checks.tags(self.engine, self.book)
        checks.contacts(self.engine, self.book)

    def _set_clock(self, now: datetime) -> None:
        self.book.now = self.engine.now = now

    def _pass_to_due(self, off: timedelta) -> None:
        due = self._next_due()
        self._set_clock(max(self.book.now, due + off) if due else self.book.now)

    def _watermark(self) -> datetime:
        """Up to which every record of the gate's streams is applied."""
        waiting = [record.at for stream in GATE_STREAMS for record in self.pending[stream]]
        return min(waiting) - MOMENT if waiting else self.book.now

    def _next_due(self) -> datetime | None:
        due = [passage.due for passage in self.book.passages.values() if passage.status == "active" and passage.due]
        return min(due, default=None)

    def _tells_facts_alone(self, record: Record) -> bool:
        """It starts nothing, and no other of its instant says otherwise."""
        same = [r for r in self.applied if (r.stream, r.contact, r.at) == (record.stream, record.contact, record.at)]
        return not record.created and record.stream != "purchases" and same == [record]

    def _id(self) -> UUID:
        return UUID(int=next(self.serial) << 64)

    def _ids(self, first: int | None = None) -> Iterator[UUID]:
        start = next(self.serial) if first is None else first
        return (UUID(int=start << 64 | each) for each in count(1))
