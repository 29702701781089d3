"""What stops a passage, or starts one, races a claim and an enroll: whatever the order of their statements, the end is
that of one after the other, and every promise is kept.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import pytest

from cadence_engine.domain.cadence import CadenceVersion, Wait
from cadence_engine.domain.enroll import EnrollRequest
from cadence_engine.domain.events import HASTENED, REFUSED, Cause
from cadence_engine.domain.operate import Cancel, Operation, Pause, Resume, RunNow, Skip
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.cadence_status import move_unsettled, pause_cadence, resume_cadence
from cadence_engine.handlers.due_steps import run_due_steps
from cadence_engine.handlers.enroll import enroll
from cadence_engine.handlers.halt import claims_over
from cadence_engine.handlers.halt import halt as halt_company
from cadence_engine.handlers.move_enrollments import Move, move_batch
from cadence_engine.handlers.operate import Order, operate_on
from cadence_engine.handlers.page import apply_page
from cadence_engine.handlers.received import Page, Received
from cadence_engine.storage import cadences
from cadence_engine.storage.connection import Pool
from cadence_engine.storage.database import run
from cadence_engine.storage.enrollments.claim import NOT_HALTED
from cadence_engine.storage.halts import CLAIMING
from tests.handlers.conftest import Stage, definition
from tests.handlers.races.stepper import Stepper, Work, two_sides

ANA: Final = "ana"
PHONE: Final = "+5511999990000"
ONE_DUE_NOW: Final = (Wait(), Wait(days=1))
LAST_ONE_DUE_NOW: Final = (Wait(),)
NONE_DUE_YET: Final = (Wait(days=1), Wait(days=1))
PATIENT: Final = Policy(gate_max_lag=timedelta(hours=1), relay_max_lag=timedelta(hours=1))
"""Nobody publishes here, and a slow machine is no reason to hold a step."""

STARTED, EXECUTED = "cadence.enrollment.started", "cadence.step.executed"
SEND, SKIPPED = "whatsapp.send.requested", "cadence.step.skipped"
MOVED = "cadence.enrollment.moved"
LAST_WORD: Final = {
    "active": {STARTED, EXECUTED, SKIPPED, "cadence.enrollment.resumed"},
    "paused": {"cadence.enrollment.paused", SKIPPED},
    "cancelled": {"cadence.enrollment.cancelled"},
    "completed": {"cadence.enrollment.completed"},
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A company with one contact and one cadence; perhaps the contact is in it, with a step due."""

    stage: Stage
    version: CadenceVersion
    triggered_at: datetime
    enrollment_id: UUID | None

    @property
    def company(self) -> str:
        return self.version.company_id

    def page(self, type_: str, at: datetime, **data: Any) -> Work:
        record: Received[Any] = self.stage.event(type_, at=at, companyId=self.company, contactId=ANA, **data)
        return lambda pool: run(pool, lambda unit: apply_page(unit, Page((), (record,), ()), PATIENT))

    @property
    def after(self) -> datetime:
        """Later than whatever triggers a passage."""
        return self.triggered_at + timedelta(milliseconds=1)


# The contenders


def claim(_: Scene) -> Work:
    return lambda pool: run(pool, lambda unit: run_due_steps(unit, PATIENT))


def enroll_by_hand(scene: Scene) -> Work:
    request = EnrollRequest(
        company_id=scene.company,
        cadence_id=scene.version.cadence_id,
        contact_id=ANA,
        trigger="api",
        triggered_at=scene.triggered_at,
        cause=Cause(actor="olga"),
        enrollment_id=uuid4(),
    )
    return lambda pool: run(pool, lambda unit: enroll(unit, [request], PATIENT))


def purchase(scene: Scene) -> Work:
    return scene.page("purchase.completed", scene.triggered_at, purchaseId="p1")


def creation(scene: Scene) -> Work:
    return scene.page("contact.created", scene.triggered_at, phone=PHONE)


def reply(scene: Scene) -> Work:
    return scene.page("message.received", scene.after)


def opt_out(scene: Scene) -> Work:
    return scene.page("contact.preferences.changed", scene.after, marketing="stop")


def erase(scene: Scene) -> Work:
    return scene.page("contact.deleted", scene.after)


def cancel(scene: Scene) -> Work:
    return _order(scene, Cancel())


def cancel_by_event(scene: Scene) -> Work:
    return scene.page("enrollment.cancel.requested", scene.after)


def pause(scene: Scene) -> Work:
    async def flag_and_settle(pool: Pool) -> None:
        key = scene.version.definition.key
        await run(pool, lambda unit: pause_cadence(unit, scene.company, key, actor="olga", reason=None))
        await _settle(pool)

    return flag_and_settle


def pause_and_go_on(scene: Scene) -> Work:
    async def both(pool: Pool) -> None:
        await pause(scene)(pool)
        key = scene.version.definition.key
        await run(pool, lambda unit: resume_cadence(unit, scene.company, key, actor="olga", reason=None))
        await _settle(pool)

    return both


async def _settle(pool: Pool) -> None:
    moved = (await run(pool, lambda unit: move_unsettled(unit, 10)))[0]
    while moved is not None and not moved.settled:
        moved = (await run(pool, lambda unit: move_unsettled(unit, 10)))[0]


def halt(scene: Scene) -> Work:
    async def flag_and_wait(pool: Pool) -> None:
        await run(pool, lambda unit: halt_company(unit, scene.company, actor="olga", reason="wrong template"))
        await run(pool, claims_over)

    return flag_and_wait


def move(scene: Scene) -> Work:
    """To a version that is published in the same breath."""

    async def publish_and_move(pool: Pool) -> None:
        following = replace(scene.version, version=2)
        await run(pool, lambda unit: cadences.publish(unit.connection, following, "olga"))
        journey = Move(scene.version, following, "olga")
        await run(pool, lambda unit: move_batch(unit, journey, PATIENT, rows=10))

    return publish_and_move


def _order(scene: Scene, *operations: Operation) -> Work:
    """One after the other, each in a transaction of its own."""
    whose = scene.enrollment_id
    assert whose is not None

    async def carry_out(pool: Pool) -> None:
        for operation in operations:
            order = Order(operation, "olga")
            await run(pool, lambda unit, order=order: operate_on(unit, scene.company, whose, order, PATIENT))  # type: ignore[misc]

    return carry_out


def hold(scene: Scene) -> Work:
    return _order(scene, Pause())


def hold_and_let_go(scene: Scene) -> Work:
    return _order(scene, Pause(), Resume())


def skip(scene: Scene) -> Work:
    return _order(scene, Skip("step-1"))


def run_now(scene: Scene) -> Work:
    return _order(scene, RunNow())


Contender = Callable[[Scene], Work]
STOPS: Final[Sequence[Contender]] = (reply, opt_out, erase, cancel, pause, hold)
PAUSES: Final[Sequence[Contender]] = (pause, hold)
"""Of the stops, those after which the passage is paused."""
ENDS: Final[Sequence[Contender]] = (*STOPS, cancel_by_event)
"""The stops, and what ends only the passages that are there."""
HOLDS: Final[Sequence[Contender]] = (halt,)
"""Nothing is sent after these, and the passage stays as it is."""


class Race(NamedTuple):
    one: Contender
    other: Contender
    enrolled: bool
    """Whether the contact is on its way before, its step due."""
    waits: Sequence[Wait] = ONE_DUE_NOW
    known: bool = True
    """Whether the contact is; else its creation enrolls it."""

    @property
    def name(self) -> str:
        which = {LAST_ONE_DUE_NOW: " of the last step", NONE_DUE_YET: " of a step to come"}.get(tuple(self.waits), "")
        which = which if self.known else " of a stranger"
        return f"{self.one.__name__} and {self.other.__name__}{which}".replace("_", " ")


RACES: Final = (
    *(Race(stop, claim, enrolled=True) for stop in (*ENDS, *HOLDS)),
    *(Race(stop, claim, enrolled=True, waits=LAST_ONE_DUE_NOW) for stop in (reply, cancel)),
    *(Race(stop, start, enrolled=stop in (cancel, hold)) for start in (enroll_by_hand, purchase) for stop in STOPS),
    *(Race(skip, other, enrolled=True) for other in (claim, skip, reply, erase, pause, hold)),
    Race(skip, claim, enrolled=True, waits=LAST_ONE_DUE_NOW),
    *(Race(run_now, other, enrolled=True, waits=NONE_DUE_YET) for other in (claim, run_now, skip, reply, pause, hold)),
    *(Race(hold_and_let_go, other, enrolled=True) for other in (claim, pause, reply, skip)),
    *(Race(pause_and_go_on, other, enrolled=True) for other in (claim, reply, enroll_by_hand)),
    Race(enroll_by_hand, enroll_by_hand, enrolled=False),
    Race(enroll_by_hand, purchase, enrolled=False),
    Race(claim, claim, enrolled=True),
    *(Race(move, other, enrolled=True) for other in (claim, reply, cancel, pause, enroll_by_hand)),
    Race(move, claim, enrolled=True, waits=LAST_ONE_DUE_NOW),
    *(Race(other, creation, enrolled=False, known=False) for other in (reply, opt_out, erase, creation)),
)


# What came of it


@dataclass(frozen=True, slots=True)
class Passage:
    """One enrollment: its row, and all that the log says of it, in the log's order."""

    enrollment_id: UUID
    status: str
    revision: int
    steps: int
    version: int
    told: tuple[tuple[str, UUID, Mapping[str, Any]], ...]

    @property
    def life(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Its events, without those that share a revision: sends that of their step, others that of what they find."""
        sharing = HASTENED, MOVED
        return [(type_, data) for type_, _, data in self.told if type_ not in sharing and not _is_send(type_, data)]

    @property
    def sends(self) -> list[str]:
        """Those that were erased before they were published too."""
        return [str(event_id) for type_, event_id, data in self.told if _is_send(type_, data)]

    @property
    def live(self) -> bool:
        return self.status in ("active", "paused", "parked")

    def outcome(self) -> tuple[object, ...]:
        return self.status, self.revision, self.steps, self.version, tuple(type_ for type_, _, _ in self.told)

    def contradictions(self) -> Iterator[str]:
        """Where row and log do not say the same."""
        types = [type_ for type_, _ in self.life]
        if [data["revision"] for _, data in self.life] != list(range(1, self.revision + 1)):
            yield f"its revisions are {[data['revision'] for _, data in self.life]}, its row is at {self.revision}"
        if not types or types[-1] not in LAST_WORD[self.status]:
            yield f"it is {self.status} after {types}"
        if any(type_ in LAST_WORD["cancelled"] | LAST_WORD["completed"] for type_ in types[:-1]):
            yield f"it went on after its end: {types}"
        steps = [data["stepKey"] for type_, data in self.life if type_ in (EXECUTED, SKIPPED)]
        if steps != [f"step-{n}" for n in range(1, self.steps + 1)]:
            yield f"it ran or skipped {steps}, its row says {self.steps} steps"
        if [data["sendId"] for type_, data in self.life if type_ == EXECUTED] != self.sends:
            yield "its sends are not those of its steps"


def _is_send(type_: str, data: Mapping[str, Any]) -> bool:
    return type_ == SEND or (type_ == SKIPPED and data["reason"] == "erased")


@dataclass(frozen=True, slots=True)
class Played:
    """One interleaving. `serial`: neither began while a transaction of the other was open."""

    turns: str
    serial: bool
    passages: tuple[Passage, ...] = ()
    refusals: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    deadlocks: int = 0

    @property
    def outcome(self) -> tuple[object, ...]:
        return (*(passage.outcome() for passage in self.passages), self.refusals)


def broken_promises(contenders: Sequence[Contender], stepper: Stepper, scene: Scene, found: Played) -> Iterator[str]:
    for passage in found.passages:
        yield from passage.contradictions()
    if sum(passage.live for passage in found.passages) > 1:
        yield "two live passages of a contact in a cadence"
    if move in contenders and any(passage.live and passage.version == 1 for passage in found.passages):
        yield "a passage stayed behind in the old version"
    for side, stop in enumerate(contenders):
        if stop not in (*ENDS, *HOLDS):
            continue
        named = stop in (cancel, hold)
        stopped = [p for p in found.passages if not named or p.enrollment_id == scene.enrollment_id]
        if stop in ENDS and any(p.status == "active" if stop in PAUSES else p.live for p in stopped):
            yield f"a passage goes on after {stop.__name__}"
        # A side's last commit is the one that confirms.
        overtaken = stepper.committed[-1] != side and contenders[1 - side] is claim
        may_have_sent = contenders[1 - side] is claim and not overtaken
        if any(p.sends for p in stopped) and not may_have_sent:
            yield f"a send was decided after {stop.__name__} was committed"


# All orders


@dataclass
class Explorer:
    """Plays a race in every order, both ways."""

    stage: Stage
    make: Callable[[], Stepper]
    race: Race
    played: list[Played] = field(default_factory=list)

    async def switch_once(self) -> None:
        """One runs so many statements, the other as far as it can, then the first to its end: for each number."""
        for contenders in self._both_ways():
            for first in count():
                had = await self._play(contenders, (first, None))
                if had[0] < first:
                    break

    def faults(self) -> list[str]:
        serial = {played.outcome for played in self.played if played.serial}
        return [
            *(f"{played.turns}: {what}" for played in self.played for what in played.broken),
            *(
                f"{played.turns}: {played.outcome} comes of no serial order"
                for played in self.played
                if not played.broken and played.outcome not in serial
            ),
        ]

    def _both_ways(self) -> Sequence[tuple[Contender, Contender]]:
        ways = (self.race.one, self.race.other), (self.race.other, self.race.one)
        return ways[:1] if self.race.one is self.race.other else ways

    async def _play(self, contenders: tuple[Contender, Contender], turns: Sequence[int | None]) -> list[int]:
        one, other = contenders
        scene = await set_scene(self.stage, self.race)
        await self.stage.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp()")
        stepper = self.make()
        name = f"{one.__name__} {turns[0]}, {other.__name__} {turns[1] or 'all'}"
        try:
            had = await stepper.play((one(scene), other(scene)), turns)
        except Exception as error:  # noqa: BLE001  # whatever a side raised is what came of it
            self.played.append(Played(name, not stepper.met, broken=(f"{type(error).__name__}: {error}",)))
            await self.stage.pool.execute("DELETE FROM cadence_enrollments WHERE status = 'active'")
            return [turns[0] or 0, turns[1] or 0]
        await self.stage.run_due()  # a sweep comes by: it finds what a claim left to a lock
        found = await look(scene, Played(name, not stepper.met, deadlocks=stepper.deadlocks))
        self.played.append(replace(found, broken=tuple(broken_promises(contenders, stepper, scene, found))))
        return had


async def set_scene(stage: Stage, race: Race) -> Scene:
    trigger = "purchase.completed" if race.known else "contact.created"
    version = await stage.publish(definition(trigger=trigger, waits=race.waits), uuid4().hex)
    now = await stage.now()
    scene = Scene(stage, version, now, None)
    if race.known:
        await creation(scene)(stage.pool)
    if not race.enrolled:
        return scene
    await purchase(scene)(stage.pool)
    return replace(scene, enrollment_id=await stage.pool.fetchval(THE_LIVE_ONE, scene.company))


THE_LIVE_ONE: Final = "SELECT enrollment_id FROM cadence_enrollments WHERE company_id = $1 AND status = 'active'"


async def look(scene: Scene, played: Played) -> Played:
    pool, company = scene.stage.pool, scene.company
    rows = await pool.fetch(
        """
        SELECT enrollment_id, status, revision, step_index, version FROM cadence_enrollments
        WHERE company_id = $1 ORDER BY started_at
        """,
        company,
    )
    events = await pool.fetch(
        """
        SELECT enrollment_id, type, event_id, data FROM cadence_events
        WHERE company_id = $1 ORDER BY batch_id, position
        """,
        company,
    )
    told = {id_: tuple((e[1], e[2], e[3]) for e in events if e[0] == id_) for id_, *_ in rows}
    passages = tuple(
        Passage(id_, status, revision, steps, version, told[id_]) for id_, status, revision, steps, version in rows
    )
    refusals = tuple(event["data"]["reason"] for event in events if event["type"] == REFUSED)
    return replace(played, passages=passages, refusals=refusals)


@pytest.fixture
def patient(stage: Stage) -> Stage:
    return Stage(stage.pool, PATIENT)


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
async def test_every_order_ends_as_one_after_the_other(patient: Stage, race: Race) -> None:
    async with two_sides(patient.pool) as make:
        explorer = Explorer(patient, make, race)
        await explorer.switch_once()
    assert explorer.faults() == []
    assert sum(played.deadlocks for played in explorer.played) == 0
    assert not all(played.serial for played in explorer.played)


class Plant(NamedTuple):
    """A lock, or a look at what is live, taken away from all statements, and a race that is then lost."""

    race: Race
    rewritten: Mapping[str, str]


PLANTS: Final = {
    "the contact of an enroll": Plant(Race(reply, enroll_by_hand, False), {"FOR NO KEY UPDATE OF contact": ""}),
    "the cadence of an enroll": Plant(Race(pause, purchase, False), {"FOR SHARE OF cadences": "", "FOR SHARE": ""}),
    "the enrollments of a claim": Plant(Race(reply, claim, True), {"FOR UPDATE SKIP LOCKED": ""}),
    "the lock and the revision": Plant(
        Race(claim, claim, True), {"FOR UPDATE SKIP LOCKED": "", " AND e.revision = new.decided_on": ""}
    ),
    "the enrollments of a move": Plant(Race(move, claim, True), {"FOR UPDATE OF e": ""}),
    "the enrollment of an operator": Plant(Race(skip, claim, True), {"FOR UPDATE OF e": ""}),
    "the cadence of a resumption": Plant(
        Race(hold_and_let_go, pause, True), {"FOR SHARE OF cadences": "", "FOR SHARE": ""}
    ),
    "what is live of a stop": Plant(
        Race(reply, claim, True, LAST_ONE_DUE_NOW), {"WHERE e.status IN ('active', 'paused', 'parked')": "WHERE true"}
    ),
    "what a halt waits for": Plant(Race(halt, claim, True), {f", pg_advisory_xact_lock_shared({CLAIMING})": ""}),
    "the halts of a claim": Plant(Race(halt, claim, True), {NOT_HALTED: "true"}),
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
async def test_without_a_lock_some_order_ends_otherwise(patient: Stage, plant: Plant) -> None:
    async with two_sides(patient.pool, plant.rewritten) as make:
        explorer = Explorer(patient, make, plant.race)
        await explorer.switch_once()
    assert explorer.faults()
