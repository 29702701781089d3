"""Which enrollments a caller means: the same words in a list, a count and an order."""

from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field

from cadence_contracts.fields import ExternalId, parse_time
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked, Key
from cadence_engine.domain.enrollment import Status as EnrollmentStatus
from cadence_engine.storage import cadences
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments.choose import EVERY_STATUS, Chosen

Moment = Annotated[AwareDatetime, BeforeValidator(lambda value: parse_time(value) if isinstance(value, str) else value)]
AN_EXAMPLE = "RFC 3339 with its offset, such as 2026-03-01T12:00:00Z"


class Choice(Asked):
    """All that is given must be true of an enrollment; what is due is active."""

    cadence_key: Key | None = None
    contact_id: ExternalId | None = None
    status: list[EnrollmentStatus] | None = Field(None, max_length=5, description="any of these")
    step_key: Key | None = Field(None, description="the next step")
    due_after: Moment | None = Field(None, description=f"then or later; {AN_EXAMPLE}")
    due_before: Moment | None = Field(None, description=f"earlier; {AN_EXAMPLE}")
    started_after: Moment | None = Field(None, description=f"then or later; {AN_EXAMPLE}")
    started_before: Moment | None = Field(None, description=f"earlier; {AN_EXAMPLE}")

    async def resolve(self, connection: Connection, company_id: str) -> Chosen:
        """What it chooses of the company. Raises Problem where the company has no such cadence."""
        cadence_id = None
        if self.cadence_key is not None:
            cadence_id = (await cadences.keys_of(connection, company_id)).get(self.cadence_key)
            if cadence_id is None:
                raise Problem(Code.CADENCE_NOT_FOUND)
        return Chosen(
            company_id,
            statuses=EVERY_STATUS if self.status is None else frozenset(self.status),
            cadence_id=cadence_id,
            contact_id=self.contact_id,
            step_key=self.step_key,
            due_after=self.due_after,
            due_before=self.due_before,
            started_after=self.started_after,
            started_before=self.started_before,
        )
