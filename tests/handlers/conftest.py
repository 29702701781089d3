"""A small stage for the handlers: one company's records come in, the clock of the gate is set, steps run."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from cadence_contracts.envelope import Envelope
from cadence_contracts.inbound import parse
from cadence_engine.domain.cadence import (
    CadenceVersion,
    Definition,
    Literally,
    Lookup,
    Reentry,
    ReentryRule,
    Source,
    Step,
    Template,
    Trigger,
    Variable,
    Wait,
)
from cadence_engine.domain.enroll import EnrollRequest, Outcome
from cadence_engine.domain.events import Cause
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.detect_inactive import companies_due, detect_page
from cadence_engine.handlers.due_steps import Ran, run_due_steps
from cadence_engine.handlers.enroll import enroll
from cadence_engine.handlers.page import PageCounts, apply_page
from cadence_engine.handlers.received import Page, Received
from cadence_engine.storage import cadences, companies
from cadence_engine.storage.connection import Pool
from cadence_engine.storage.database import UnitOfWork, connect, run

ACME = "acme"


def definition(
    *,
    key: str = "onboarding",
    trigger: str = "contact.created",
    where: Mapping[str, Sequence[str]] | None = None,
    after: Wait | None = None,
    waits: Sequence[Wait] = (Wait(), Wait(), Wait()),
    reentry: Reentry | None = None,
    cancel_on_reply: bool = True,
    grace: timedelta = timedelta(),
    variables: Mapping[str, Variable] | None = None,
    tags: Sequence[str] = (),
) -> Definition:
    """A cadence of steps that are due at once, unless said otherwise."""
    return Definition(
        key=key,
        name=key.title(),
        trigger=Trigger(trigger, {name: tuple(values) for name, values in (where or {}).items()}, after),
        reentry=reentry or Reentry(ReentryRule.ALWAYS),
        cancel_on_reply=cancel_on_reply,
        reply_grace=grace,
        send_within=timedelta(hours=1),
        language="pt_BR",
        steps=tuple(
            Step(f"step-{n}", wait, Template(f"template_{n}", "marketing", variables or {}))
            for n, wait in enumerate(waits, start=1)
        ),
        completion_tags=tuple(tags),
    )


NAME = {"contactName": Lookup(Source.CONTACT, "name")}
GREETING = {"greeting": Literally("hi")}


@dataclass
class Stage:
    """What a test drives. Times that a test does not give are those of the database."""

    pool: Pool
    policy: Policy = field(default_factory=Policy)

    async def publish(self, definition: Definition, company: str = ACME) -> CadenceVersion:
        """Make it a new cadence, or a new version of the cadence with its key."""

        async def work(unit: UnitOfWork) -> CadenceVersion:
            await companies.ensure(unit.connection, [company])
            known = await cadences.lock(unit.connection, company, definition.key)
            if known is None:
                version = CadenceVersion(company, uuid.uuid4(), 1, definition)
                await cadences.create(unit.connection, version, "test")
            else:
                version = CadenceVersion(company, known.cadence_id, known.current_version + 1, definition)
                await cadences.publish(unit.connection, version, "test")
            return version

        return (await run(self.pool, work))[0]

    async def receive(self, *events: Received[Any]) -> PageCounts:
        """One page with these records."""
        page = Page((), events, ())
        return (await run(self.pool, lambda unit: apply_page(unit, page, self.policy)))[0]

    async def hears(self, type_: str, *, at: datetime | None = None, id_: str | None = None, **data: Any) -> None:
        """One record of one contact of ACME (or of `companyId`)."""
        await self.receive(self.event(type_, at=at or await self.now(), id_=id_, **data))

    def event(self, type_: str, *, at: datetime, id_: str | None = None, **data: Any) -> Received[Any]:
        envelope = Envelope(id=id_ or uuid.uuid4().hex, source="/crm", type=type_, data={"companyId": ACME, **data})
        return Received(event=parse(envelope), type=type_, source=envelope.source, id=envelope.id, at=at)

    async def enroll(self, version: CadenceVersion, contact_id: str, **more: Any) -> Outcome:
        """As an operator does."""
        request = EnrollRequest(
            company_id=version.company_id,
            cadence_id=version.cadence_id,
            contact_id=contact_id,
            trigger="api",
            triggered_at=await self.now(),
            cause=Cause(actor="operator"),
            enrollment_id=uuid.uuid4(),
        )
        request = request._replace(**more)
        return (await run(self.pool, lambda unit: enroll(unit, [request], self.policy)))[0][0]

    async def run_due(self, *, open_gate: bool = True) -> Ran:
        """One batch of due steps, everything earlier being applied unless said otherwise."""
        if open_gate:
            await self.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp()")
        return (await run(self.pool, lambda unit: run_due_steps(unit, self.policy)))[0]

    async def detect(self) -> int:
        """Run the detector for every company that is due, to the end; answers how many it enrolled."""
        await self.pool.execute("UPDATE reply_gate SET watermark = clock_timestamp()")
        enrolled = 0
        for company_id in (await run(self.pool, lambda unit: companies_due(unit, self.policy)))[0]:
            finished = False
            while not finished:
                page, _ = await run(self.pool, lambda unit, c=company_id: detect_page(unit, c, self.policy))  # type: ignore[misc]
                enrolled, finished = enrolled + page.enrolled, page.finished
        return enrolled

    async def now(self) -> datetime:
        now: datetime = await self.pool.fetchval("SELECT clock_timestamp()")
        return now.astimezone(UTC)

    async def statuses(self, contact_id: str = "ana", company: str = ACME) -> list[str]:
        """Of the contact's enrollments, oldest first."""
        rows = await self.pool.fetch(
            "SELECT status FROM cadence_enrollments WHERE company_id = $1 AND contact_id = $2 ORDER BY started_at",
            company,
            contact_id,
        )
        return [row["status"] for row in rows]

    async def log(self, *types: str) -> list[dict[str, Any]]:
        """The data of the log's events in order, of these types (or of all), with their type."""
        rows = await self.pool.fetch(
            """
            SELECT type, data FROM cadence_events WHERE cardinality($1::text[]) = 0 OR type = ANY($1)
            ORDER BY batch_id, position
            """,
            types,
        )
        return [{"type": row["type"], **row["data"]} for row in rows]


@pytest_asyncio.fixture
async def stage(database_url: str) -> AsyncIterator[Stage]:
    pool = await connect(database_url, process="test", size=8)
    yield Stage(pool)
    await pool.close()


@pytest.fixture
def long_ago() -> datetime:
    """A time of a record that is older than anything else in the test."""
    return datetime.now(UTC) - timedelta(days=60)
