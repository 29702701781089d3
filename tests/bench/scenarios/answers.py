"""What operators ask for, beside few and beside very many enrollments of their company; and what counting costs."""

import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from time import perf_counter

from cadence_engine.domain.enrollment import LIVE, Status
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.funnel import funnels
from cadence_engine.handlers.why import why_contact
from cadence_engine.storage import counts, database
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments.choose import Chosen
from cadence_engine.storage.reports import cadences, enrollments
from tests.bench import seed
from tests.bench.scenarios import crowd
from tests.bench.scenarios.scenario import Finding, Scenario, Tell, below
from tests.bench.seed import CADENCE, COMPANIES
from tests.bench.stage import BenchError, Ground, Stage

COMPANY = "company-0"
SLOWER = 3.0
PASSAGES_IN_BATCH = 500
BATCHES_AT_ONCE = 20
PAGE = 50
POLICY = Policy()

# Of each enrollment: it started, its first step was sent, and that was told.
LOG = f"""
    WITH batch AS (
        INSERT INTO event_batches (logged_at, published_at)
        SELECT now(), now()
        FROM generate_series(1, (SELECT count(*) / {PASSAGES_IN_BATCH} + 1 FROM cadence_enrollments))
        RETURNING batch_id
    ), first AS (SELECT min(batch_id) AS id FROM batch),
    passage AS (SELECT e.*, row_number() OVER (ORDER BY enrollment_id) - 1 AS n FROM cadence_enrollments e)
    INSERT INTO cadence_events
        (logged_at, batch_id, position, type, event_id, company_id, contact_id, enrollment_id, revision, data)
    SELECT now(), first.id + n / {PASSAGES_IN_BATCH}, n % {PASSAGES_IN_BATCH} * 3 + place, type, uuidv7(), company_id,
        contact_id, enrollment_id, CASE WHEN place = 0 THEN 1 ELSE 2 END, jsonb_build_object(
            'companyId', company_id, 'contactId', contact_id, 'enrollmentId', enrollment_id, 'cadenceId', cadence_id,
            'cadenceKey', '{CADENCE}', 'version', version, 'revision', 1, 'at', now(),
            'cause', jsonb_build_object('actor', 'schedule')
        ) || CASE WHEN place = 0 THEN jsonb_build_object('trigger', 'contact.created', 'nextRunAt', now())
            ELSE jsonb_build_object('stepKey', 'welcome', 'stepIndex', 0, 'sendId', uuidv7(), 'dueAt', now()) END
    FROM passage, first, unnest(ARRAY[
        'cadence.enrollment.started', 'whatsapp.send.requested', 'cadence.step.executed'
    ]) WITH ORDINALITY AS told (type, ordinal), LATERAL (SELECT ordinal - 1 AS place) AS placed
"""  # noqa: S608  # constants of this module

Ask = Callable[[Connection], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Size:
    """Each question is asked `asked` times of each side, in turns."""

    few: int = 10_000
    many: int = 1_000_000
    asked: int = 30


@dataclass(slots=True)
class Side:
    """A company with so many enrollments; `seconds` that each answer took, by the question."""

    ground: Ground
    enrollments: int
    chance: random.Random
    counting: float = 0.0
    seconds: dict[str, list[float]] = field(default_factory=dict)

    async def fill(self, tell: Tell) -> None:
        """Write everything, and count it."""
        pool, end = self.ground.pool, self.enrollments * COMPANIES
        await seed.cadences(pool)
        await seed.contacts(pool, 0, end, every=COMPANIES, tell=tell)
        first = await crowd.now(self.ground) + timedelta(days=1)
        async with seed.indexed_afterwards(pool, "cadence_enrollments", tell):
            await seed.enrollments(pool, 0, end, due=first, apart=0.1, every=COMPANIES, tell=tell)
        await seed.unlimited(pool, LOG, first="SET LOCAL session_replication_role = replica")
        await seed.settle(pool)
        await pool.execute("ANALYZE")
        began = perf_counter()
        while (await database.run(pool, lambda unit: counts.count(unit.connection, BATCHES_AT_ONCE)))[0]:
            pass
        self.counting = (perf_counter() - began) / self.enrollments
        await seed.settle(pool)
        tell(f"{self.enrollments:,} enrollments: written, and counted at {1e6 * self.counting:.1f} µs a passage")

    async def ask(self, question: str, ask: Ask) -> None:
        """Once, in a snapshot as the engine asks."""
        async with self.ground.pool.acquire() as connection:
            began = perf_counter()
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await ask(connection)
            self.seconds.setdefault(question, []).append(perf_counter() - began)

    def questions(self) -> dict[str, Ask]:
        """About contacts and places that nobody asked about before."""
        contact = seed.contact_id(self.chance.randrange(self.enrollments) * COMPANIES)
        chosen = Chosen(COMPANY, statuses=frozenset({Status.ACTIVE}))

        async def first_page(connection: Connection) -> None:
            page = await enrollments.listed(connection, chosen, rows=PAGE)
            _expect(len(page.passages), PAGE)

        async def later_page(connection: Connection) -> None:
            page = await enrollments.listed(connection, chosen, rows=PAGE)
            page = await enrollments.listed(connection, chosen, rows=PAGE, after=page.next_cursor)
            _expect(len(page.passages), PAGE)

        async def by_cadence(connection: Connection) -> None:
            live = Chosen(COMPANY, statuses=LIVE)
            _expect(len((await enrollments.listed(connection, live, rows=PAGE)).passages), PAGE)

        async def all_cadences(connection: Connection) -> None:
            (line,) = await cadences.listed(connection, COMPANY)
            _expect(line.counts["active"], self.enrollments)

        async def timeline(connection: Connection) -> None:
            answer = await why_contact(connection, COMPANY, contact, POLICY, before=None, rows=PAGE)
            _expect(len(answer.timeline.happened) if answer else 0, 2)

        async def funnel(connection: Connection) -> None:
            found = await funnels(connection, COMPANY, CADENCE)
            _expect(found[0].started if found else 0, self.enrollments)

        return {
            "enrollments, those due next": first_page,
            "enrollments, a later page": later_page,
            "enrollments, by contact": by_cadence,
            "cadences with their counts": all_cadences,
            "timeline of a contact": timeline,
            "funnel": funnel,
        }


def _expect(found: int, expected: int) -> None:
    if found != expected:
        raise BenchError(f"an answer told of {found}, and not of {expected}")


async def measure(stage: Stage, tell: Tell, size: Size) -> Sequence[Finding]:
    async with contextlib.AsyncExitStack() as grounds:
        sides = []
        for amount in (size.few, size.many):
            side = Side(await grounds.enter_async_context(stage.ground()), amount, random.Random(1))
            await side.fill(tell)
            sides.append(side)
        for turn in range(size.asked):
            for side in reversed(sides) if turn % 2 else sides:
                for question, ask in side.questions().items():
                    await side.ask(question, ask)
    return _findings(*sides)


def _findings(few: Side, many: Side) -> Sequence[Finding]:
    findings = []
    for question in many.seconds:
        small, large = median(few.seconds[question]), median(many.seconds[question])
        findings.append(Finding(f"{question}, at {many.enrollments:,}", 1000 * large, "ms"))
        findings.append(below(f"{question}, {many.enrollments:,} to {few.enrollments:,}", large / small, SLOWER))
    findings.append(Finding("counting for the funnels, per passage of one step", 1e6 * many.counting, "µs"))
    return findings


def scenario(size: Size = Size()) -> Scenario:
    return Scenario("answers", "what operators ask for", lambda stage, tell: measure(stage, tell, size))
