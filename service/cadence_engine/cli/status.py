"""Why, or why not: what happened to a contact or in an enrollment, what holds it, why a cadence did not take it."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from cadence_engine.cli import halts as halting
from cadence_engine.cli import output, passages, session
from cadence_engine.cli.enroll import WHAT_TO_DO
from cadence_engine.cli.following import MOST_ROWS, following
from cadence_engine.cli.output import Refused, at
from cadence_engine.cli.session import Company, Json, Session, external_id
from cadence_engine.cli.timeline import line_of, meaning_of
from cadence_engine.domain.enroll import Refusal
from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.gate import Held
from cadence_engine.domain.masking import masked, without_phones
from cadence_engine.domain.outlook import Outlook, Silence, SoFar
from cadence_engine.domain.waiting import WaitsFor
from cadence_engine.handlers.why import PASSAGES, Answer, Explained, unread_about, why_contact, why_enrollment
from cadence_engine.storage.reports.dead_letters import Tally
from cadence_engine.storage.reports.timeline import TimelinePage, read_cursor, write_cursor

WHY_HELD = {
    Held.HALTED: "every company is halted: see `cadence-engine halts`",
    Held.REPLIES_BEHIND: "replies are not applied up to now: is the consumer running, and are its topics reachable?",
    Held.WATERMARK_AHEAD: "the watermark is ahead of the database's clock: was that set back?",
    Held.RELAY_STUCK: "the log is not published: is the relay running, and is Kafka reachable?",
}
SILENCE = {
    Silence.NO_MESSAGE: "never wrote nor was written to, so there is no silence to count",
    Silence.TOO_SHORT: "is not silent for long enough",
}


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(status)


def status(
    subject: Annotated[
        str,
        typer.Argument(metavar="CONTACT|ENROLLMENT", help="A contact's id, or an enrollment's.", callback=external_id),
    ],
    company: Company,
    *,
    cursor: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Older history, as the page before names it.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=MOST_ROWS, help="Entries of history on a page.")] = 100,
    as_json: Json = False,
) -> None:
    """Why, or why not: what happened to a contact and what is next; what holds it; why a cadence did not take it.

    Of an enrollment, the same about that one passage. Whether anything holds all steps is said as well, and
    how many records of the contact could not be read.
    """
    with following():
        place = None if cursor is None else read_cursor(company, subject, cursor)

    async def main(opened: Session) -> Answer:
        async with opened.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            answer = await why_contact(connection, company, subject, opened.policy, before=place, rows=rows)
            if answer is None and (enrollment_id := _enrollment_id(subject)):
                answer = await why_enrollment(
                    connection, company, enrollment_id, opened.policy, before=place, rows=rows
                )
            if answer is None:
                unread = _unread(company, subject, await unread_about(connection, company, subject))
                hint = unread or WHAT_TO_DO[Refusal.CONTACT_NOT_FOUND]
                raise Refused(f"{company} has no contact {subject}, nor an enrollment with that id; {hint}")
            return answer

    answer = session.run(main)
    older = answer.timeline.older
    further = None if older is None else write_cursor(company, subject, older)
    answer = replace(answer, contact=replace(answer.contact, phone=masked(answer.contact.phone)))
    if as_json:
        output.as_json(_document(answer, further))
    else:
        _print(answer, further)


def _enrollment_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _document(answer: Answer, further: str | None) -> dict[str, Any]:
    return {
        "contact": answer.contact,
        "tags": answer.tags,
        "passages": [
            {
                **asdict(each.passage),
                "enrollment": _without_phones(each.passage.enrollment),
                "waits_for": each.waits_for,
                "cadence_status": each.cadence.status,
            }
            for each in answer.passages
        ],
        "timeline": answer.timeline.happened,
        "next": further,
        "history_since": answer.timeline.kept_since,
        "outlooks": answer.outlooks,
        "gate": {"held": answer.held, "watermark": answer.gate.watermark},
        "halts": answer.halts,
        "unread": answer.unread,
    }


def _without_phones(enrollment: Enrollment) -> Enrollment:
    return enrollment._replace(context=without_phones(enrollment.context))


def _print(answer: Answer, further: str | None) -> None:
    known = answer.contact
    facts: dict[str, Any] = {
        "name": known.name,
        "phone": known.phone,
        "language": known.locale,
        "time zone": known.time_zone,
        "tags": ", ".join(answer.tags) or None,
        "last message": at(known.last_message_at),
        "last inbound": at(known.last_inbound_at),
        "marketing": "stopped" if known.opted_out else "allowed",
    }
    output.table(("contact", known.contact_id), facts.items())
    if known.erased:
        output.say("This contact was deleted: nothing of the person is kept.")
    if answer.passages:
        output.say("")
        output.table(
            ("cadence", "status", "step", "next run", "enrollment", "why"), [_row(each) for each in answer.passages]
        )
        if len(answer.passages) == PASSAGES:
            output.say(f"The newest {PASSAGES}; the history below tells of older ones too.")
    _print_timeline(answer.timeline, further)
    if answer.outlooks:
        output.say("")
        kept_since = answer.timeline.kept_since
        rows = [(each.cadence_key, each.trigger, _so_far(each, kept_since), _now(each)) for each in answer.outlooks]
        output.table(("not in", "trigger", "so far", "if it came now"), rows)
    if unread := _unread(known.company_id, known.contact_id, answer.unread):
        output.say(f"\n{unread}")
    for line in halting.holding(answer.halts):
        output.say(f"\n{line}")
    if answer.held is not None and answer.held is not Held.HALTED:
        output.say(f"\nNo step runs now ({answer.held.value}): {WHY_HELD[answer.held]}")


def _print_timeline(page: TimelinePage, further: str | None) -> None:
    if page.happened:
        output.say("")
        rows = [(at(each.at), each.data.get("cadenceKey"), line_of(each)) for each in page.happened]
        output.table(("at", "cadence", "what happened"), rows)
    if further is not None:
        output.say(f"Older: --cursor {further}")
    elif page.kept_since is not None:
        output.say(f"What happened before {at(page.kept_since)} is not kept any more.")


def _unread(company: str, contact: str, tallies: Sequence[Tally]) -> str | None:
    """How many records could not be read, and the command that lists them."""
    if not tallies:
        return None
    letters = sum(each.letters for each in tallies)
    which = ", ".join(f"{each.topic}: {each.letters} {each.reason}" for each in tallies)
    command = shlex.join(["cadence-engine", "dead-letters", "list", "--company", company, "--contact", contact])
    return f"Records that name the contact and could not be read: {letters} ({which}). See `{command}`"


def _row(explained: Explained) -> tuple[object, ...]:
    passage = explained.passage
    enrollment = passage.enrollment
    return (
        f"{enrollment.cadence_key} v{enrollment.version}",
        enrollment.status.value,
        passages.step(passage),
        passages.next_run(enrollment),
        enrollment.enrollment_id,
        "; ".join(_why(explained)) or None,
    )


def _why(explained: Explained) -> Iterator[str]:
    enrollment, cadence = explained.passage.enrollment, explained.cadence
    match explained.waits_for:
        case WaitsFor.MENDING:
            yield f"{enrollment.park_reason}: {enrollment.park_detail}"
        case WaitsFor.CADENCE:
            yield f"held with its cadence, by {cadence.actor}" + (f": {cadence.reason}" if cadence.reason else "")
        case None:
            if enrollment.cancel_reason:
                yield enrollment.cancel_reason
        case waits:
            yield waits.meaning


def _so_far(outlook: Outlook, kept_since: datetime | None) -> str:
    refused = outlook.refused
    match outlook.so_far:
        case SoFar.IN_IT:
            return "is in it"
        case SoFar.WAS_IN_IT:
            return "was in it before"
        case SoFar.REFUSED if refused is not None:
            fields = f" ({', '.join(refused.fields)})" if refused.fields else ""
            return f"refused {at(refused.at)}: {meaning_of(refused.reason)}{fields}"
    known_since = outlook.made_at if kept_since is None else max(outlook.made_at, kept_since)
    return f"its trigger did not come since {at(known_since)}"


def _now(outlook: Outlook) -> str:
    if outlook.now is None:
        return "would be enrolled"
    if outlook.now in set(Silence):
        silence = Silence(outlook.now)
        until = f": from {at(outlook.inactive_from)} on, at the detector's hour" if outlook.inactive_from else ""
        return SILENCE[silence] + until
    return f"would be refused: {meaning_of(outlook.now)}"
