"""The hot statements find their rows by an index, however large the tables are, and look at few others."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from cadence_contracts.inbound import AnyInbound, ContactDeleted, ContactUpdated, MessageReceived
from cadence_engine.bus.relay.batches import lock_next
from cadence_engine.definitions import ready
from cadence_engine.definitions.load import load
from cadence_engine.domain.enrollment import LIVE, Status
from cadence_engine.domain.events import CANCELLED, RESUMED, STARTED
from cadence_engine.domain.operate import Pause
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.apply_definition import Proposed, apply_definitions
from cadence_engine.handlers.cadence_status import archive_cadence, move_unsettled
from cadence_engine.handlers.detect_inactive import PAGE, companies_due, detect_page
from cadence_engine.handlers.due_steps import run_due_steps
from cadence_engine.handlers.funnel import funnels
from cadence_engine.handlers.halt import halt
from cadence_engine.handlers.move_enrollments import Move, move_batch, prepare_move
from cadence_engine.handlers.operate import Order, operate_on_batch, resume_whose_time_has_come
from cadence_engine.handlers.page import apply_page
from cadence_engine.handlers.received import Page, Received, Span
from cadence_engine.handlers.why import why_contact
from cadence_engine.scheduling.wakeups.buckets import HORIZON, WIDTH
from cadence_engine.storage import counts, relay, wakeups
from cadence_engine.storage.connection import Pool
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.enrollments.choose import Chosen
from cadence_engine.storage.reports import backlog, enrollments
from cadence_engine.storage.reports import cadences as cadence_reports
from tests.bench import seed
from tests.storage.conftest import CONTACTS, EVENTS_IN_BATCH, LATER, OVERDUE, UNCOUNTED, UNPUBLISHED
from tests.storage.plans import Plan, Scan, plans_of

ROWS = 200
SLACK = 2
LARGE = 5_000
POLICY = Policy(claim_rows=ROWS, gate_max_lag=timedelta(days=1), relay_max_lag=timedelta(days=1))

FLOODED_BEFORE = timedelta(minutes=2)
FLOOD = """
    UPDATE cadence_enrollments SET next_run_at = now() - interval '1 minute' + random() * interval '1 second'
    WHERE status = 'active' AND next_run_at > now();
    ANALYZE cadence_enrollments;
    SELECT pg_restore_attribute_stats('schemaname', 'public', 'relname', 'cadence_enrollments', 'attname', 'cadence_id',
        'inherited', false, 'null_frac', 0::real, 'avg_width', 16, 'n_distinct', 1::real, 'correlation', 1::real,
        'most_common_vals', '{00000000-0000-0000-0000-000000000000}'::text, 'most_common_freqs', '{1}'::real[]);
    DROP INDEX enrollments_due;
    CREATE INDEX enrollments_due ON cadence_enrollments (next_run_at) WITH (fillfactor = 10) WHERE status = 'active';
"""
"""Very much is due within a second, and all is of one cadence: then PostgreSQL thinks that hardly any of it is wanted.
The index that has it in its order has grown, so that another one and a sort would be cheaper if that were so."""

NOT_COUNTED = (UNPUBLISHED + UNCOUNTED) * EVENTS_IN_BATCH

WHOLE = {"event_batches_unpublished", "event_batches_uncounted", "enrollments_parked"}
"""Indexes that are read from one end to the other: they hold what is wanted and nothing else."""


async def due_steps(unit: UnitOfWork) -> int:
    """A batch of what is due."""
    return (await run_due_steps(unit, POLICY)).sent


async def due_steps_of_each_company(unit: UnitOfWork) -> int:
    """A batch of what is due amid a backlog."""
    return (await run_due_steps(unit, POLICY, fairly=True)).sent


async def due_steps_beside_a_halt(unit: UnitOfWork) -> int:
    """The same while a company is halted that has a quarter of them."""
    await halt(unit, "company-0", actor="olga", reason="wrong template")
    return (await run_due_steps(unit, POLICY)).sent


async def due_steps_of_a_flood(unit: UnitOfWork) -> int:
    """The next batch of a backlog that no statistics know of yet."""
    return (await run_due_steps(unit, POLICY, due_since=unit.now - FLOODED_BEFORE)).sent


async def due_steps_of_each_company_amid_a_flood(unit: UnitOfWork) -> int:
    """The same in shares."""
    return (await run_due_steps(unit, POLICY, due_since=unit.now - FLOODED_BEFORE, fairly=True)).sent


async def replies(unit: UnitOfWork) -> int:
    """A page of replies of contacts who wait for a step."""
    replied = [
        MessageReceived(
            company_id=f"company-{n % seed.COMPANIES}",
            contact_id=seed.contact_id(n),
            conversation_id=f"conversation-{n}",
            message_id=f"message-{n}",
        )
        for n in range(OVERDUE, OVERDUE + ROWS)
    ]
    return await _applied(unit, replied, CANCELLED)


async def new_contacts(unit: UnitOfWork) -> int:
    """A page of contacts that are created; half of them are known already, from their messages."""
    return await _applied(
        unit, [seed.contact_created(n) for n in range(CONTACTS - ROWS // 2, CONTACTS + ROWS // 2)], STARTED
    )


async def known_contacts(unit: UnitOfWork) -> int:
    """A page of news of contacts, each with a parked enrollment that waited for it."""
    last = OVERDUE + LATER
    news = [
        ContactUpdated(
            company_id=f"company-{n % seed.COMPANIES}", contact_id=seed.contact_id(n), name="Ana", tags=["vip", "old"]
        )
        for n in range(last - ROWS, last)
    ]
    return await _applied(unit, news, RESUMED)


async def erased_contacts(unit: UnitOfWork) -> int:
    """A page of deletions of contacts who wait for a step, and went through a passage before."""
    gone = [
        ContactDeleted(company_id=f"company-{n % seed.COMPANIES}", contact_id=seed.contact_id(n))
        for n in range(OVERDUE, OVERDUE + ROWS)
    ]
    return await _applied(unit, gone, CANCELLED)


async def archived(unit: UnitOfWork) -> int:
    """The first batch of a cadence that was taken out of use."""
    await archive_cadence(unit, "company-1", seed.CADENCE, actor="olga", reason=None)
    batch = await move_unsettled(unit, ROWS)
    return batch.rows if batch else 0


async def moved(unit: UnitOfWork) -> int:
    """The first batch of those who go to another version of their cadence."""
    (definition,) = (loaded.definition for loaded in load([("cadence", ready.text_of(seed.CADENCE))], "company-1"))
    longer = replace(definition, send_within=timedelta(hours=2))
    await apply_definitions(unit, [Proposed("company-1", longer, uuid4())], "olga")
    move = await prepare_move(unit.connection, "company-1", seed.CADENCE, old=1, new=2, actor="olga", reason=None)
    assert isinstance(move, Move)
    return (await move_batch(unit, move, POLICY, rows=ROWS)).tally.waiting_at.total()


async def companies_with_silent_contacts(unit: UnitOfWork) -> int:
    """Whose detector is to run now."""
    return len(await companies_due(unit, POLICY))


async def silent_contacts(unit: UnitOfWork) -> int:
    """A page of the detector, twice: the second begins behind the first."""
    first, second = [await detect_page(unit, "company-0", POLICY) for _ in range(2)]
    assert first.enrolled == second.enrolled
    return first.enrolled


async def publishing(unit: UnitOfWork) -> int:
    """What the relay publishes in one transaction."""
    portion = await lock_next(unit.connection, UNPUBLISHED)
    await relay.set_published(unit.connection, portion.batch_ids)
    return len(list(portion.events))


async def publishing_where_it_is_traced(unit: UnitOfWork) -> int:
    """What the relay asks beside that, to lead back from each record."""
    portion = await lock_next(unit.connection, UNPUBLISHED)
    batches = [(batch.batch_id, batch.events[0].logged_at) for batch in portion.batches]
    await relay.origins(unit.connection, batches)
    await relay.traced_events(unit.connection, batches)
    return len(list(portion.events))


async def planning(unit: UnitOfWork) -> int:
    """The moments of the next minute at which something is due: one step's."""
    await unit.connection.execute(
        "UPDATE cadence_enrollments SET next_run_at = now() + interval '30 seconds'"
        " WHERE company_id = 'company-0' AND contact_id = $1 AND status = 'active'",
        seed.contact_id(OVERDUE),
    )
    return len(await wakeups.due_moments(unit.connection, bucket=WIDTH, ahead=HORIZON))


async def measuring(unit: UnitOfWork) -> int:
    """What waits, as it is told to Prometheus every few seconds."""
    return (await backlog.read(unit.connection)).due


async def measuring_beside_a_halt(unit: UnitOfWork) -> int:
    """The same while a company is halted that has a quarter of it."""
    await halt(unit, "company-0", actor="olga", reason="wrong template")
    return (await backlog.read(unit.connection)).due


async def status(unit: UnitOfWork) -> int:
    """What an operator is told of a contact."""
    answer = await why_contact(unit.connection, "company-1", seed.contact_id(1), POLICY, before=None, rows=ROWS)
    return len(answer.timeline.happened) if answer else 0


async def live_enrollments(unit: UnitOfWork) -> int:
    """Two pages of a list, the second behind the first."""
    return await _listed(unit, Chosen("company-1").within(LIVE))


async def waiting_enrollments(unit: UnitOfWork) -> int:
    """The same of those that are active and due in a time."""
    soon = unit.now + timedelta(minutes=1)
    return await _listed(unit, Chosen("company-1", due_after=soon, due_before=soon + timedelta(days=300)))


async def parked_enrollments(unit: UnitOfWork) -> int:
    """The same of those that are parked."""
    return await _listed(unit, Chosen("company-1").within({Status.PARKED}))


async def all_enrollments(unit: UnitOfWork) -> int:
    """The same of all, ended ones too."""
    return await _listed(unit, Chosen("company-1"))


async def enrollments_of_a_contact(unit: UnitOfWork) -> int:
    """All that one contact went through."""
    chosen = Chosen("company-1", contact_id=seed.contact_id(1))
    return len((await enrollments.listed(unit.connection, chosen, rows=ROWS)).passages)


async def pausing(unit: UnitOfWork) -> int:
    """A batch of an operator's order."""
    order = Order(Pause(unit.now + timedelta(days=1)), "olga")
    return (await operate_on_batch(unit, Chosen("company-1", step_key="welcome"), order, POLICY, rows=ROWS)).done


async def going_on(unit: UnitOfWork) -> int:
    """A batch of pauses that end by themselves."""
    over = Order(Pause(unit.now - timedelta(seconds=1)), "olga")
    await operate_on_batch(unit, Chosen("company-1", statuses=LIVE), over, POLICY, rows=ROWS)
    return (await resume_whose_time_has_come(unit, POLICY, ROWS)).rows


async def _listed(unit: UnitOfWork, chosen: Chosen) -> int:
    first = await enrollments.listed(unit.connection, chosen, rows=ROWS // 2)
    second = await enrollments.listed(unit.connection, chosen, rows=ROWS // 2, after=first.next_cursor)
    return len({each.enrollment.enrollment_id for each in (*first.passages, *second.passages)})


async def a_funnel(unit: UnitOfWork) -> int:
    """How a cadence goes: told by the counts, and by what is not counted yet."""
    return NOT_COUNTED if await funnels(unit.connection, "company-1", "onboarding") else 0


async def a_list_of_cadences(unit: UnitOfWork) -> int:
    """With how many contacts are in them."""
    return NOT_COUNTED if await cadence_reports.listed(unit.connection, "company-1") else 0


async def counting(unit: UnitOfWork) -> int:
    """The log's next batches for the funnels."""
    return await counts.count(unit.connection, UNCOUNTED) * EVENTS_IN_BATCH


async def _applied(unit: UnitOfWork, told: Sequence[AnyInbound], expected: str) -> int:
    """How many of these events follow from a page of the records."""
    received = tuple(
        Received(event, event.event_type, "/crm", f"event-{place}", unit.now) for place, event in enumerate(told)
    )
    await apply_page(unit, Page((Span(told[0].event_type, 0, 0, len(told)),), received, ()), POLICY)
    return sum(event.type == expected for event in unit.events)


Story = Callable[[UnitOfWork], Awaitable[int]]

STORIES: Mapping[Story, int] = {
    due_steps: ROWS,
    due_steps_of_each_company: ROWS,
    due_steps_beside_a_halt: ROWS // (seed.COMPANIES - 1) * (seed.COMPANIES - 1),
    replies: ROWS,
    new_contacts: ROWS,
    known_contacts: ROWS,
    erased_contacts: ROWS,
    archived: ROWS,
    moved: ROWS,
    companies_with_silent_contacts: seed.COMPANIES,
    silent_contacts: PAGE,
    publishing: UNPUBLISHED * EVENTS_IN_BATCH,
    publishing_where_it_is_traced: UNPUBLISHED * EVENTS_IN_BATCH,
    planning: 1,
    measuring: OVERDUE,
    measuring_beside_a_halt: OVERDUE // seed.COMPANIES * (seed.COMPANIES - 1),
    status: 2,
    live_enrollments: ROWS,
    waiting_enrollments: ROWS,
    parked_enrollments: ROWS,
    all_enrollments: ROWS,
    enrollments_of_a_contact: 2,
    pausing: ROWS,
    going_on: ROWS,
    a_funnel: NOT_COUNTED,
    a_list_of_cadences: NOT_COUNTED,
    counting: UNCOUNTED * EVENTS_IN_BATCH,
}
"""Each with how much it does."""


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_no_statement_goes_through_a_large_table(large: Pool, story: Story) -> None:
    plans = await _plans(large, story)
    assert plans, "nothing was asked of the database"
    wrong = await _going_through(large, plans, STORIES[story])
    assert not wrong, "\n\n".join(map(str, wrong))


@pytest.mark.parametrize("story", [due_steps_of_a_flood, due_steps_of_each_company_amid_a_flood])
async def test_what_is_due_is_never_sorted_however_little_is_known_of_it(large: Pool, story: Story) -> None:
    plans = await plans_of(large, story, before=FLOOD)
    wrong = await _going_through(large, plans, ROWS)
    assert not wrong, "\n\n".join(map(str, wrong))


@pytest.mark.parametrize(
    ("index", "story"),
    [
        ("enrollments_due", due_steps),
        ("enrollments_due_of_company", due_steps_of_each_company),
        ("enrollments_one_live", replies),
        ("enrollments_one_live", archived),
        ("enrollments_one_live", moved),
        ("enrollments_ended", new_contacts),
        ("contacts_by_silence", silent_contacts),
        ("event_batches_unpublished", publishing),
        ("enrollments_parked", measuring),
        ("cadence_events_of_enrollment", status),
        ("enrollments_one_live", live_enrollments),
        ("enrollments_due_of_company", waiting_enrollments),
        ("enrollments_parked", parked_enrollments),
        ("enrollments_resuming", going_on),
        ("event_batches_uncounted", a_funnel),
        ("event_batches_uncounted", counting),
        ("enrollments_paused", a_list_of_cadences),
    ],
)
async def test_a_missing_index_is_noticed(large: Pool, index: str, story: Story) -> None:
    plans = await _plans(large, story, before=f"DROP INDEX {index}")
    assert await _going_through(large, plans, STORIES[story])


async def _plans(large: Pool, story: Story, *, before: str = "") -> Sequence[Plan]:
    async def work(unit: UnitOfWork) -> None:
        assert await story(unit) == STORIES[story]

    return await plans_of(large, work, before=before)


async def _going_through(large: Pool, plans: Sequence[Plan], rows: int) -> Sequence[Plan]:
    """Those that look at far more rows of a large table than the work is about, or would in time."""
    tables = {
        row[0]
        for row in await large.fetch("SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= $1", LARGE)
    }
    return [plan for plan in plans if any(scan.table in tables and _goes_through(scan, rows) for scan in plan.scans)]


def _goes_through(scan: Scan, rows: int) -> bool:
    if scan.index is None or (not scan.sought and scan.index not in WHOLE):
        return True
    return scan.rows is not None and scan.rows > SLACK * rows
