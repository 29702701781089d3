"""A method for each operation.

Generated from openapi.yaml by python -m cadence_contracts.generate: do not edit.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

from cadence_contracts.client.models import (
    CadenceDefinition,
    CadenceList,
    CadenceShown,
    CadenceStatusTold,
    CompanySettings,
    CompanyTold,
    Count,
    DraftList,
    DraftShown,
    DropAsked,
    EnrollAsked,
    EnrollmentList,
    EnrollmentTold,
    EnrollTold,
    EraseCompanyAsked,
    EraseContactAsked,
    ErasedTold,
    ErasureTold,
    Funnels,
    HaltAsked,
    HaltList,
    HaltTold,
    HappenedTold,
    LetterList,
    LetterShown,
    LetterState,
    LetterTold,
    Live,
    MoveAsked,
    MoveTold,
    OrderAsked,
    OrderTold,
    PauseAsked,
    PlacedTold,
    Published,
    Publishing,
    Ready,
    Reason,
    ReplayAsked,
    ResumeAsked,
    SettledTold,
    Simulation,
    SimulationAsked,
    SkipAsked,
    Status,
    UnparkAsked,
    UnparkTold,
    Versions,
    Why,
    WhyTold,
)
from cadence_contracts.client.transport import Transport, part


class Operations(Transport):
    """Every operation, by its name in the document."""

    async def list_cadences(self, *, archived: bool | None = None) -> CadenceList:
        """Every cadence by key, and how many contacts are in it.

        Needs the scope `read`.
        """
        return await self._ask("GET", "/v1/cadences", CadenceList, query={"archived": archived})

    async def show_cadence(self, key: str) -> CadenceShown:
        """A cadence's current definition, and how its enrollments went.

        Needs the scope `read`.
        """
        return await self._ask("GET", f"/v1/cadences/{part(key)}", CadenceShown)

    async def publish_cadence(
        self, key: str, body: CadenceDefinition | str, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Published:
        """Publish a definition.

        201: the cadence is new, and active. 200: its next version, or nothing new where it says the same. With
        `If-Match` only if nobody published in between; with `If-None-Match: *` only if there is none with
        that key yet.

        Needs the scope `define`.
        """
        return await self._ask(
            "PUT",
            f"/v1/cadences/{part(key)}",
            Published,
            headers={"If-Match": if_match, "If-None-Match": if_none_match},
            body=body,
        )

    async def list_versions(self, key: str) -> Versions:
        """Every version that was published, and how many contacts are on their way in each.

        Needs the scope `read`.
        """
        return await self._ask("GET", f"/v1/cadences/{part(key)}/versions", Versions)

    async def pause_cadence(self, key: str, body: Why | None = None) -> CadenceStatusTold:
        """Let nobody enter and no step run, from now on; each enrollment keeps the rest of its wait.

        Again is fine, and changes nothing: the answer has who paused it first, and why.

        Needs the scope `operate`.
        """
        return await self._ask("POST", f"/v1/cadences/{part(key)}/pause", CadenceStatusTold, body=body)

    async def resume_cadence(self, key: str, body: Why | None = None) -> CadenceStatusTold:
        """Go on where it was paused: the rest of each wait begins now. Again is fine.

        What was overdue goes one after the other, ten a second, so that nothing bursts.

        Needs the scope `operate`.
        """
        return await self._ask("POST", f"/v1/cadences/{part(key)}/resume", CadenceStatusTold, body=body)

    async def archive_cadence(self, key: str, body: Why | None = None) -> CadenceStatusTold:
        """Take it out of use: nobody enters, and whoever is in it is cancelled. Its history stays. Again is fine.

        Needs the scope `define`.
        """
        return await self._ask("POST", f"/v1/cadences/{part(key)}/archive", CadenceStatusTold, body=body)

    async def unarchive_cadence(self, key: str, body: Why | None = None) -> CadenceStatusTold:
        """Take the archiving back: it is paused then. Whom that cancelled stays cancelled.

        Needs the scope `define`.
        """
        return await self._ask("POST", f"/v1/cadences/{part(key)}/unarchive", CadenceStatusTold, body=body)

    async def list_drafts(self) -> DraftList:
        """What is being edited.

        Needs the scope `read`.
        """
        return await self._ask("GET", "/v1/drafts", DraftList)

    async def show_draft(self, key: str) -> DraftShown:
        """A draft, to be edited and sent back.

        Needs the scope `read`.
        """
        return await self._ask("GET", f"/v1/drafts/{part(key)}", DraftShown)

    async def write_draft(self, key: str, body: CadenceDefinition | str, *, if_match: str | None = None) -> DraftShown:
        """Keep a definition as the draft. 412: somebody else has saved another meanwhile.

        Needs the scope `define`.
        """
        return await self._ask("PUT", f"/v1/drafts/{part(key)}", DraftShown, headers={"If-Match": if_match}, body=body)

    async def throw_away_draft(self, key: str, *, if_match: str) -> None:
        """Throw the draft away; what is published stays as it is.

        Needs the scope `define`.
        """
        await self._tell("DELETE", f"/v1/drafts/{part(key)}", headers={"If-Match": if_match})

    async def publish_draft(self, key: str, body: Publishing | None = None, *, if_match: str) -> Published:
        """Make the draft the version that contacts enter from now on; those in flight stay on theirs.

        201: the cadence is new. 200: its next version, or nothing new where the draft says the same.

        Needs the scope `define`.
        """
        return await self._ask(
            "POST", f"/v1/drafts/{part(key)}/publish", Published, headers={"If-Match": if_match}, body=body
        )

    async def move_enrollments(self, key: str, body: MoveAsked) -> MoveTold:
        """Move live enrollments from one version to another, up to 500 in a call, until `next` is null.

        With `dryRun` nothing is changed, and each outcome is counted. Interrupted, ask again: who is moved is no
        longer in the old version.

        Needs the scope `define`.
        """
        return await self._ask("POST", f"/v1/cadences/{part(key)}/move-enrollments", MoveTold, body=body)

    async def move_all_enrollments(self, key: str, body: MoveAsked) -> AsyncIterator[MoveTold]:
        """`move_enrollments`, batch after batch until nothing is left: what came of each."""
        async for told in self._batches(lambda asked: self.move_enrollments(key, asked), body):
            yield told

    async def simulate(self, key: str, body: SimulationAsked) -> Simulation:
        """The exact timeline of contacts: each step, its time, its text, what it would lack.

        Of the cadence's current version; or, before anybody is in it, of its `draft`, or of a `definition` that
        is sent along, as the version that it would become.

        Needs the scope `read`.
        """
        return await self._ask("POST", f"/v1/cadences/{part(key)}/simulate", Simulation, body=body)

    async def show_funnel(self, key: str, *, version: int | None = None) -> Funnels:
        """Started, sent, replied, completed: of every version, or of one.

        A reply counts where it ends the passage, or comes within 7 days of its last step. While a cadence goes on
        after replies (`cancelOn: []`) they are not counted. The figures follow the log by some seconds.

        Needs the scope `read`.
        """
        return await self._ask("GET", f"/v1/cadences/{part(key)}/funnel", Funnels, query={"version": version})

    async def list_enrollments(
        self,
        *,
        cadence_key: str | None = None,
        contact_id: str | None = None,
        status: Sequence[Status] | None = None,
        step_key: str | None = None,
        due_after: datetime | None = None,
        due_before: datetime | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> EnrollmentList:
        """Those that are chosen, or all, page by page.

        In the order in which they are due, where all are active; by contact, where all are live; else as they
        began.

        Needs the scope `read`.
        """
        return await self._ask(
            "GET",
            "/v1/enrollments",
            EnrollmentList,
            query={
                "cadenceKey": cadence_key,
                "contactId": contact_id,
                "status": status,
                "stepKey": step_key,
                "dueAfter": due_after,
                "dueBefore": due_before,
                "startedAfter": started_after,
                "startedBefore": started_before,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def each_enrollment(
        self,
        *,
        cadence_key: str | None = None,
        contact_id: str | None = None,
        status: Sequence[Status] | None = None,
        step_key: str | None = None,
        due_after: datetime | None = None,
        due_before: datetime | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[PlacedTold]:
        """Each of `enrollments` of `list_enrollments`, page after page; `limit` is a page's."""
        cursor: str | None = None
        while True:
            page = await self.list_enrollments(
                cadence_key=cadence_key,
                contact_id=contact_id,
                status=status,
                step_key=step_key,
                due_after=due_after,
                due_before=due_before,
                started_after=started_after,
                started_before=started_before,
                limit=limit,
                cursor=cursor,
            )
            for each in page.enrollments:
                yield each
            if page.next is None:
                return
            cursor = page.next

    async def enroll_contact(self, body: EnrollAsked) -> EnrollTold:
        """Put a contact in a cadence.

        201: enrolled. 200: the contact is in it already and stays where they are, so that asking again is
        harmless. A refusal says its rule as `code`; it is also in the contact's timeline.

        Needs the scope `operate`.
        """
        return await self._ask("POST", "/v1/enrollments", EnrollTold, body=body)

    async def count_enrollments(
        self,
        *,
        cadence_key: str | None = None,
        contact_id: str | None = None,
        status: Sequence[Status] | None = None,
        step_key: str | None = None,
        due_after: datetime | None = None,
        due_before: datetime | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
    ) -> Count:
        """How many are chosen. It looks at each of them: give a cadence or a contact where there are very many.

        Needs the scope `read`.
        """
        return await self._ask(
            "GET",
            "/v1/enrollment-count",
            Count,
            query={
                "cadenceKey": cadence_key,
                "contactId": contact_id,
                "status": status,
                "stepKey": step_key,
                "dueAfter": due_after,
                "dueBefore": due_before,
                "startedAfter": started_after,
                "startedBefore": started_before,
            },
        )

    async def show_enrollment(self, enrollment_id: UUID) -> PlacedTold:
        """One enrollment as it is now.

        Needs the scope `read`.
        """
        return await self._ask("GET", f"/v1/enrollments/{part(enrollment_id)}", PlacedTold)

    async def pause_enrollment(self, enrollment_id: UUID, body: PauseAsked | None = None) -> EnrollmentTold:
        """Let no step run until it is resumed, and keep the rest of the wait. It outlasts a resumption of its
        cadence.

        Again is fine: another `until` counts from then on, with its reason; the same changes nothing, its reason
        neither.

        Needs the scope `operate`.
        """
        return await self._ask("POST", f"/v1/enrollments/{part(enrollment_id)}/pause", EnrollmentTold, body=body)

    async def resume_enrollment(self, enrollment_id: UUID, body: ResumeAsked | None = None) -> EnrollmentTold:
        """Let what an operator has paused go on.

        Needs the scope `operate`.
        """
        return await self._ask("POST", f"/v1/enrollments/{part(enrollment_id)}/resume", EnrollmentTold, body=body)

    async def skip_step(self, enrollment_id: UUID, body: SkipAsked) -> EnrollmentTold:
        """Pass over the step that it waits at.

        Needs the scope `operate`.
        """
        return await self._ask("POST", f"/v1/enrollments/{part(enrollment_id)}/skip", EnrollmentTold, body=body)

    async def run_now(self, enrollment_id: UUID, body: Why | None = None) -> EnrollmentTold:
        """Do not wait any longer for the next step: it runs as any step that is due.

        Needs the scope `operate`.
        """
        return await self._ask("POST", f"/v1/enrollments/{part(enrollment_id)}/run-now", EnrollmentTold, body=body)

    async def cancel_enrollment(self, enrollment_id: UUID, body: Why | None = None) -> EnrollmentTold:
        """End a live enrollment. Again is fine; one that is completed stays completed.

        Needs the scope `operate`.
        """
        return await self._ask("POST", f"/v1/enrollments/{part(enrollment_id)}/cancel", EnrollmentTold, body=body)

    async def operate_on_chosen(self, body: OrderAsked) -> OrderTold:
        """Pause, resume, skip, hasten or cancel all that are chosen: up to 500 in a call, until `next` is null.

        Count them first with `dryRun`. Interrupted, give the order again: what is done is left as it is.

        Needs the scope `operate`.
        """
        return await self._ask("POST", "/v1/enrollment-orders", OrderTold, body=body)

    async def operate_on_all_chosen(self, body: OrderAsked) -> AsyncIterator[OrderTold]:
        """`operate_on_chosen`, batch after batch until nothing is left: what came of each."""
        async for told in self._batches(self.operate_on_chosen, body):
            yield told

    async def unpark_cadence(self, key: str, body: UnparkAsked | None = None) -> UnparkTold:
        """Look again at what a cadence has parked, whatever the reason: up to 500 in a call, until `next` is null.

        Whatever lacks nothing any more is due when it was, which is at once. Again is fine.

        Needs the scope `operate`.
        """
        return await self._ask("POST", f"/v1/cadences/{part(key)}/unpark", UnparkTold, body=body)

    async def unpark_all(self, key: str, body: UnparkAsked) -> AsyncIterator[UnparkTold]:
        """`unpark_cadence`, batch after batch until nothing is left: what came of each."""
        async for told in self._batches(lambda asked: self.unpark_cadence(key, asked), body):
            yield told

    async def why_about_contact(
        self, contact_id: str, *, cursor: str | None = None, limit: int | None = None
    ) -> WhyTold:
        """Where a contact stands, what happened so far and why, and why a cadence did not take them.

        A passage says what it waits for; `gate` and `halts` say whether anything holds all steps. A refused
        enrollment is in the history, with its rule; of a cadence whose trigger never came, `outlooks`
        says what would stand against it. A record that could not be read is not in the history: `unread`
        counts them.

        Needs the scope `read`.
        """
        return await self._ask(
            "GET", f"/v1/contacts/{part(contact_id)}", WhyTold, query={"cursor": cursor, "limit": limit}
        )

    async def timeline_of_contact(self, contact_id: str, *, limit: int | None = None) -> AsyncIterator[HappenedTold]:
        """Each of `timeline` of `why_about_contact`, page after page; `limit` is a page's. The newest comes first."""
        cursor: str | None = None
        while True:
            page = await self.why_about_contact(contact_id, cursor=cursor, limit=limit)
            for each in reversed(page.timeline):
                yield each
            if page.next is None:
                return
            cursor = page.next

    async def why_about_enrollment(
        self, enrollment_id: UUID, *, cursor: str | None = None, limit: int | None = None
    ) -> WhyTold:
        """The same about one enrollment: what happened in it, and what it waits for.

        Needs the scope `read`.
        """
        return await self._ask(
            "GET", f"/v1/enrollments/{part(enrollment_id)}/why", WhyTold, query={"cursor": cursor, "limit": limit}
        )

    async def timeline_of_enrollment(
        self, enrollment_id: UUID, *, limit: int | None = None
    ) -> AsyncIterator[HappenedTold]:
        """Each of `timeline` of `why_about_enrollment`, page after page; `limit` is a page's. The newest comes
        first.
        """
        cursor: str | None = None
        while True:
            page = await self.why_about_enrollment(enrollment_id, cursor=cursor, limit=limit)
            for each in reversed(page.timeline):
                yield each
            if page.next is None:
                return
            cursor = page.next

    async def erase_contact(self, contact_id: str, body: EraseContactAsked) -> ErasedTold:
        """Forget a person: end their enrollments, blank what is known of them, their history and their dead letters.

        A tombstone stays, so that a record that is older and arrives later does not bring them back. Again is
        fine.

        Needs the scope `admin`.
        """
        return await self._ask("POST", f"/v1/contacts/{part(contact_id)}/erase", ErasedTold, body=body)

    async def list_halts(self) -> HaltList:
        """What holds every step of your company, and what did so before.

        Needs the scope `read`.
        """
        return await self._ask("GET", "/v1/halts", HaltList)

    async def halt(self, body: HaltAsked) -> HaltTold:
        """Hold every step of your company: no send is decided once this has answered.

        Again is fine: the halt that is in force stays as it was. 503: it is in force, and claims under way were
        not seen to end in time; ask again.

        Needs the scope `operate`.
        """
        return await self._ask("POST", "/v1/halt", HaltTold, body=body)

    async def unhalt(self, body: Why | None = None) -> HaltTold:
        """End the halt of your company. What became due meanwhile runs as after an outage, the longest due first.

        Needs the scope `operate`.
        """
        return await self._ask("POST", "/v1/unhalt", HaltTold, body=body)

    async def list_dead_letters(
        self,
        *,
        topic: str | None = None,
        code: Reason | None = None,
        contact_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        state: LetterState | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> LetterList:
        """The newest first, without what they hold.

        A `topic` is named with the deployment's prefix, as each letter's `topic` is. A record that names no
        company, as one that is no JSON, is not here: the platform's own operators see it with
        `cadence-engine dead-letters list --all-companies`.

        Needs the scope `read`.
        """
        return await self._ask(
            "GET",
            "/v1/dead-letters",
            LetterList,
            query={
                "topic": topic,
                "code": code,
                "contactId": contact_id,
                "since": since,
                "until": until,
                "state": state,
                "limit": limit,
                "cursor": cursor,
            },
        )

    async def each_dead_letter(
        self,
        *,
        topic: str | None = None,
        code: Reason | None = None,
        contact_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        state: LetterState | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[LetterTold]:
        """Each of `letters` of `list_dead_letters`, page after page; `limit` is a page's."""
        cursor: str | None = None
        while True:
            page = await self.list_dead_letters(
                topic=topic,
                code=code,
                contact_id=contact_id,
                since=since,
                until=until,
                state=state,
                limit=limit,
                cursor=cursor,
            )
            for each in page.letters:
                yield each
            if page.next is None:
                return
            cursor = page.next

    async def show_dead_letter(
        self, topic: str, partition: int, offset: int, *, full: bool | None = None
    ) -> LetterShown:
        """One letter, decoded as far as possible, and why it is dead.

        Needs the scope `read`.
        """
        return await self._ask(
            "GET", f"/v1/dead-letters/{part(topic)}/{part(partition)}/{part(offset)}", LetterShown, query={"full": full}
        )

    async def replay_letters(
        self, body: ReplayAsked | None = None, *, idempotency_key: str | None = None
    ) -> SettledTold:
        """Apply what is understood by now, each letter once, at its record's own time; up to 500 of a topic in a
        call.

        Count them first with `dryRun`, which uses no key. To repeat it is harmless: what was applied before, be
        it under another offset, is not applied again. With an `Idempotency-Key` it also gets the same
        answer: give all batches of one replay the same, and after an interruption begin again with it and
        without `cursor`.

        Needs the scope `admin`.
        """
        return await self._ask(
            "POST", "/v1/dead-letters/replay", SettledTold, headers={"Idempotency-Key": idempotency_key}, body=body
        )

    async def replay_all_letters(
        self, body: ReplayAsked, *, idempotency_key: str | None = None
    ) -> AsyncIterator[SettledTold]:
        """`replay_letters`, batch after batch until nothing is left: what came of each."""
        async for told in self._batches(
            lambda asked: self.replay_letters(asked, idempotency_key=idempotency_key), body
        ):
            yield told

    async def drop_letters(self, body: DropAsked) -> SettledTold:
        """Forget what records held; that they were there, who dropped them and why stays.

        Needs the scope `admin`.
        """
        return await self._ask("POST", "/v1/dead-letters/drop", SettledTold, body=body)

    async def drop_all_letters(self, body: DropAsked) -> AsyncIterator[SettledTold]:
        """`drop_letters`, batch after batch until nothing is left: what came of each."""
        async for told in self._batches(self.drop_letters, body):
            yield told

    async def show_company(self) -> CompanyTold:
        """How your company is set.

        Needs the scope `read`.
        """
        return await self._ask("GET", "/v1/company", CompanyTold)

    async def set_up_company(self, body: CompanySettings | None = None) -> CompanyTold:
        """Change what is given, leave the rest.

        A later `company.updated` record may say otherwise about name, zone and locale: whatever is told last
        counts.

        Needs the scope `admin`.
        """
        return await self._ask("PATCH", "/v1/company", CompanyTold, body=body)

    async def erase_company(self, body: EraseCompanyAsked) -> ErasureTold:
        """Halt your company for good, end every enrollment, and forget every contact, in the log too. Again is fine.

        Needs the scope `admin`.
        """
        return await self._ask("POST", "/v1/company/erase", ErasureTold, body=body)

    async def live(self) -> Live:
        """Whether the process turns at all."""
        return await self._ask("GET", "/health/live", Live)

    async def ready(self) -> Ready:
        """Whether it can do its work, and what it lacks."""
        return await self._ask("GET", "/health/ready", Ready, statuses=(200, 503))
