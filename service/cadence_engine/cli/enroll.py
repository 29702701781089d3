"""Putting one contact in a cadence."""

from typing import Annotated, assert_never

import typer

from cadence_contracts.inbound import MAX_CONTEXT_FIELDS, MAX_CONTEXT_NAME, MAX_CONTEXT_TEXT
from cadence_engine.cli import output, session
from cadence_engine.cli.cadences import unknown
from cadence_engine.cli.output import at
from cadence_engine.cli.session import Actor, Company, Contact, Key, Session, external_id
from cadence_engine.domain import enroll as rule
from cadence_engine.domain.enroll import AlreadyEnrolled, Enrolled, Refusal
from cadence_engine.handlers.enroll_asked import Candidate, UnknownCadence, enroll_asked

WHAT_TO_DO = {
    Refusal.CADENCE_NOT_ACTIVE: "see `cadence-engine show`",
    Refusal.CONTACT_NOT_FOUND: "it becomes known with its first contact.created, message.received or trigger",
    Refusal.LEAD_NOT_FOUND: "it becomes known with lead.created",
    Refusal.CONVERSATION_NOT_FOUND: "it becomes known with its first message.received",
    Refusal.OPTED_OUT: "only contact.preferences.changed with `resume` changes that",
    Refusal.REENTRY: "see `reentry` in `cadence-engine show`",
}

ExternalId = Annotated[str | None, typer.Option(callback=external_id)]


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(enroll)


def _context(pairs: list[str] | None) -> list[str]:
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not equals or not 0 < len(name) <= MAX_CONTEXT_NAME or len(text) > MAX_CONTEXT_TEXT:
            raise typer.BadParameter(
                f"must be NAME=TEXT: a name of 1 to {MAX_CONTEXT_NAME} characters, a text of at most {MAX_CONTEXT_TEXT}"
            )
        if not pair.isprintable():
            raise typer.BadParameter("a control character, which no text may hold")
    if len(pairs or []) > MAX_CONTEXT_FIELDS:
        raise typer.BadParameter(f"at most {MAX_CONTEXT_FIELDS} values")
    return pairs or []


Context = Annotated[
    list[str] | None, typer.Option(metavar="NAME=TEXT", help="For template variables.", callback=_context)
]


def values_of(context: list[str] | None) -> dict[str, str]:
    """By name, of a `Context`."""
    return dict(pair.split("=", 1) for pair in context or [])


def enroll(
    key: Key,
    contact: Contact,
    company: Company,
    actor: Actor,
    *,
    lead: ExternalId = None,
    conversation: ExternalId = None,
    context: Context = None,
) -> None:
    """Put a contact in a cadence. One who is in it already stays where they are."""
    candidate = Candidate(contact, lead, conversation, values_of(context))

    async def main(opened: Session) -> rule.Outcome:
        outcome = await opened.run(lambda unit: enroll_asked(unit, company, key, candidate, opened.policy, actor=actor))
        if isinstance(outcome, UnknownCadence):
            raise unknown(outcome.known, company, key)
        return outcome

    outcome = session.run(main)
    match outcome:
        case Enrolled(decision):
            output.say(
                f"enrolled: {decision.enrollment.enrollment_id}, first step {at(decision.enrollment.next_run_at)}"
            )
        case AlreadyEnrolled(enrollment_id):
            output.say(f"enrolled before: {enrollment_id}; nothing changed")
        case rule.Refused(refusal):
            hint = f"; {WHAT_TO_DO[refusal]}" if refusal in WHAT_TO_DO else ""
            output.refuse(f"not enrolled ({refusal.value}): {refusal.meaning}{hint}")
        case _:
            assert_never(outcome)
