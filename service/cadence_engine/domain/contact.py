"""The person, as other services have described them so far."""

from datetime import datetime
from types import EllipsisType
from typing import NamedTuple

from cadence_engine.domain.known import UNTOLD, Known, newest

ContactKey = tuple[str, str]
"""(company id, contact id): an external id is known only together with its company."""


class ContactChange(NamedTuple):
    """Fields that one record tells; `...` says nothing about a field, None clears it."""

    name: str | None | EllipsisType = ...
    phone: str | None | EllipsisType = ...
    locale: str | None | EllipsisType = ...
    time_zone: str | None | EllipsisType = ...


class Contact(NamedTuple):
    """A projection, a stub with nothing known where a message or a purchase came first."""

    company_id: str
    contact_id: str
    name: Known[str | None] = UNTOLD
    phone: Known[str | None] = UNTOLD
    locale: Known[str | None] = UNTOLD
    time_zone: Known[str | None] = UNTOLD
    tags_at: datetime | None = None
    opted_out: Known[bool] = Known(False)
    last_message_at: datetime | None = None
    last_inbound_at: datetime | None = None
    last_conversation: Known[str | None] = UNTOLD
    mentioned_at: datetime | None = None
    erased_at: datetime | None = None
    revision: int = 0

    @property
    def key(self) -> ContactKey:
        return self.company_id, self.contact_id

    @property
    def erased(self) -> bool:
        """Deleted, and named by no record since; a preference names nobody."""
        return self.erased_at is not None and (self.mentioned_at is None or self.forgets(self.mentioned_at))

    def forgets(self, at: datetime) -> bool:
        """Whether a record of that time is not newer than the contact's deletion."""
        return self.erased_at is not None and at <= self.erased_at

    def told(self, change: ContactChange, at: datetime) -> "Contact":
        """With what a record of `at` says, where it is not older than what is known."""
        return self._replace(
            mentioned_at=newest(self.mentioned_at, at),
            name=_told(self.name, change.name, at),
            phone=_told(self.phone, change.phone, at),
            locale=_told(self.locale, change.locale, at),
            time_zone=_told(self.time_zone, change.time_zone, at),
        )

    def tagged(self, at: datetime) -> "Contact":
        """After its owner said at `at` which tags it has."""
        return self._replace(tags_at=at, mentioned_at=newest(self.mentioned_at, at))

    def messaged(self, at: datetime, *, inbound: bool, conversation_id: str | None) -> "Contact":
        """After a message of `at`, either way."""
        return self._replace(
            mentioned_at=newest(self.mentioned_at, at),
            last_message_at=newest(self.last_message_at, at),
            last_inbound_at=newest(self.last_inbound_at, at) if inbound else self.last_inbound_at,
            last_conversation=_told(self.last_conversation, ... if conversation_id is None else conversation_id, at),
        )

    def prefers(self, *, stop: bool, at: datetime) -> "Contact":
        """After a preference of `at`, also one from before a deletion: it is a wish, not personal data."""
        return self._replace(opted_out=self.opted_out.told(stop, at))

    def erase(self, at: datetime) -> "Contact":
        """Without anything told up to `at`. The opt-out stays: forgetting it could only send more."""
        return Contact(
            company_id=self.company_id,
            contact_id=self.contact_id,
            name=self.name.since(at, None),
            phone=self.phone.since(at, None),
            locale=self.locale.since(at, None),
            time_zone=self.time_zone.since(at, None),
            tags_at=_since(self.tags_at, at),
            opted_out=self.opted_out,
            last_message_at=_since(self.last_message_at, at),
            last_inbound_at=_since(self.last_inbound_at, at),
            last_conversation=self.last_conversation.since(at, None),
            mentioned_at=self.mentioned_at,
            erased_at=newest(self.erased_at, at),
            revision=self.revision,
        )


def _told(known: Known[str | None], value: str | None | EllipsisType, at: datetime) -> Known[str | None]:
    return known if isinstance(value, EllipsisType) else known.told(value, at)


def _since(instant: datetime | None, at: datetime) -> datetime | None:
    return instant if instant is not None and instant > at else None
