"""The options that say which enrollments a command is about."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from cadence_engine.cli.cadences import unknown
from cadence_engine.cli.session import Company, Session, external_id
from cadence_engine.domain.enrollment import Status
from cadence_engine.storage import cadences
from cadence_engine.storage.enrollments.choose import EVERY_STATUS, Chosen


def moment(text: str) -> datetime:
    """An ISO 8601 date or time; UTC where it says no zone."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("must be a time such as 2026-03-01T09:00Z, or a date") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _bound(name: str, says: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, parser=moment, metavar="TIME", help=says)
    return option


@dataclass(frozen=True, slots=True)
class Choice:
    """All that is given must be true of an enrollment."""

    company: Company
    cadence: Annotated[str | None, typer.Option("--cadence", metavar="KEY", help="In this cadence.")] = None
    contact: Annotated[str | None, typer.Option("--contact", help="Of this contact.", callback=external_id)] = None
    status: Annotated[
        list[Status] | None, typer.Option("--status", help="With this status; may be given several times.")
    ] = None
    step: Annotated[str | None, typer.Option("--step", metavar="KEY", help="Whose next step this is.")] = None
    due_after: Annotated[datetime | None, _bound("--due-after", "Active, and due then or later.")] = None
    due_before: Annotated[datetime | None, _bound("--due-before", "Active, and due before.")] = None
    started_after: Annotated[datetime | None, _bound("--started-after", "Begun then or later.")] = None
    started_before: Annotated[datetime | None, _bound("--started-before", "Begun before.")] = None

    @property
    def given(self) -> set[str]:
        """The names of what is said beside the company."""
        return {each.name for each in fields(self) if each.name != "company" and getattr(self, each.name)}

    async def resolve(self, opened: Session) -> Chosen:
        """As the database knows it. Raises Refused where the company has no such cadence."""
        cadence_id: UUID | None = None
        if self.cadence is not None:
            known = await opened.run(lambda unit: cadences.keys_of(unit.connection, self.company))
            if self.cadence not in known:
                raise unknown(known, self.company, self.cadence)
            cadence_id = known[self.cadence]
        return Chosen(
            company_id=self.company,
            statuses=frozenset(self.status) if self.status else EVERY_STATUS,
            cadence_id=cadence_id,
            contact_id=self.contact,
            step_key=self.step,
            due_after=self.due_after,
            due_before=self.due_before,
            started_after=self.started_after,
            started_before=self.started_before,
        )


def with_choice(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of Choice instead of its parameter `choice`."""
    own, options = inspect.signature(command), inspect.signature(Choice)
    kept = [each for each in own.parameters.values() if each.name != "choice"]
    added = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in options.parameters.values()]

    @functools.wraps(command)
    def chosen(**given: object) -> None:
        choice = Choice(**{each.name: given.pop(each.name) for each in added})  # type: ignore[arg-type]
        command(choice=choice, **given)

    signature = own.replace(parameters=[*(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in kept), *added])
    chosen.__signature__ = signature  # type: ignore[attr-defined]
    chosen.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
    return chosen
