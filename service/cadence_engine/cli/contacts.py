"""Contacts: erase one."""

from typing import Annotated, assert_never

import typer

from cadence_engine.cli import consent, output, session
from cadence_engine.cli.session import Actor, Company, Contact, Session, Yes
from cadence_engine.handlers.erase import Erased, NotFound, Outcome, erase_contact

group = typer.Typer(no_args_is_help=True, help="The people whom cadences are for.")


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(group, name="contact")


@group.callback()
def _group() -> None:
    """The people whom cadences are for."""


@group.command()
def erase(
    contact: Contact,
    company: Company,
    actor: Actor,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept, so name no person.")],
    *,
    yes: Yes = False,
) -> None:
    """Forget a person, as `contact.deleted` does: what runs is cancelled, and name, phone, tags and variables go.

    The id stays, so that what is older and arrives later is dropped. What is on Kafka already is not taken back.
    """
    if not reason.strip():
        output.refuse("say why: --reason")
    consent.ask(f"contact {contact} of {company} would be forgotten for good", yes=yes)

    async def main(opened: Session) -> Outcome:
        return await opened.run(lambda unit: erase_contact(unit, company, contact, actor=actor, reason=reason))

    outcome = session.run(main)
    match outcome:
        case Erased(cancelled, letters):
            output.say(f"erased: {cancelled} enrollments cancelled, {letters} dead letters dropped")
        case NotFound():
            output.refuse(f"{company} knows no contact {contact}, by any record")
        case _:
            assert_never(outcome)
