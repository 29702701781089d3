"""One contact's passage through one version."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from cadence_engine.domain.cadence import Scalar
from cadence_engine.domain.contact import ContactKey


class Status(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    PARKED = "parked"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


LIVE = frozenset({Status.ACTIVE, Status.PAUSED, Status.PARKED})


class ParkReason(StrEnum):
    """Why a step cannot be decided."""

    MISSING_VARIABLE = "missing_variable"
    UNREACHABLE = "unreachable"
    INTERNAL_ERROR = "internal_error"


class PausedBy(StrEnum):
    CADENCE = "cadence"
    OPERATOR = "operator"


class Enrollment(NamedTuple):
    """The row as it is, in UTC; what may be set in which status is repeated as CHECKs of its table.

    A tuple, as each step makes several: reading it from a row and changing it cost a quarter of a frozen dataclass.
    """

    company_id: str
    enrollment_id: UUID
    cadence_id: UUID
    cadence_key: str
    version: int
    contact_id: str
    lead_id: str | None
    conversation_id: str | None
    status: Status
    step_index: int
    next_run_at: datetime | None
    revision: int
    trigger: str
    triggered_at: datetime
    started_at: datetime
    context: Mapping[str, Scalar]
    ended_at: datetime | None = None
    cancel_reason: str | None = None
    wait_left: timedelta | None = None
    paused_by: PausedBy | None = None
    park_reason: ParkReason | None = None
    park_detail: str | None = None
    parked_knowing: str | None = None
    held_due_at: datetime | None = None
    resume_at: datetime | None = None
    traceparent: str | None = None
    """The trace context of what began it, if somebody traces that: its records, days later, lead back to it."""

    @property
    def contact_key(self) -> ContactKey:
        return self.company_id, self.contact_id

    @property
    def live(self) -> bool:
        return self.status in LIVE

    def freed(self) -> "Enrollment":
        """Neither held nor parked; what follows from that, its status and due time, is the caller's to say."""
        if self.status is Status.ACTIVE:
            return self
        return self._replace(
            wait_left=None,
            paused_by=None,
            park_reason=None,
            park_detail=None,
            parked_knowing=None,
            held_due_at=None,
            resume_at=None,
        )
