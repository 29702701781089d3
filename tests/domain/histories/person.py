"""What is known of a contact, read from all records about it: whatever order they were applied in."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from tests.domain.histories.drawn import Record


class Person:
    """The records about one contact that count, in the order in which they were applied."""

    def __init__(self) -> None:
        self._applied: list[Record] = []
        self._wishes: list[Record] = []
        self.deleted_at: datetime | None = None

    def forgets(self, at: datetime) -> bool:
        return self.deleted_at is not None and at <= self.deleted_at

    def apply(self, record: Record) -> bool:
        """Take a record in; False where the contact was deleted since, and it does not count."""
        if record.stream == "preferences":
            self._wishes.append(record)
            return True
        if record.stream == "deletions":
            self.deleted_at = max(filter(None, (self.deleted_at, record.at)))
            return True
        if self.forgets(record.at):
            return False
        self._applied.append(record)
        return True

    @property
    def _kept(self) -> Iterator[Record]:
        return (record for record in self._applied if not self.forgets(record.at))

    @property
    def forgotten(self) -> Iterator[str]:
        """The names and phones that a deletion takes away."""
        gone = [record for record in self._applied if self.forgets(record.at)]
        return (value for record in gone for name, value in record.fields if value and name != "time_zone")

    @property
    def erased(self) -> bool:
        """Deleted, and nothing is known of the person since: neither a fact nor a message nor that it is there."""
        return self.deleted_at is not None and not any(self._kept)

    def field(self, name: str) -> str | None:
        """The newest word on `name`, `phone` or `time_zone`."""
        told = _newest(record for record in self._kept if name in dict(record.fields))
        return dict(told.fields)[name] if told else None

    @property
    def conversation(self) -> str | None:
        newest = _newest(record for record in self._kept if record.stream == "messages" and record.conversation)
        return newest.conversation if newest else None

    @property
    def last_message_at(self) -> datetime | None:
        return max((record.at for record in self._kept if record.stream == "messages"), default=None)

    @property
    def last_inbound_at(self) -> datetime | None:
        inbound = (record.at for record in self._kept if record.stream == "messages" and record.inbound)
        return max(inbound, default=None)

    @property
    def opted_out(self) -> bool:
        """The newest wish; a deletion does not end it."""
        newest = _newest(self._wishes)
        return newest is not None and newest.stop


def _newest(records: Iterable[Record]) -> Record | None:
    # `max` gives the first of equals; of two records of one instant the one applied last counts.
    return max(reversed(list(records)), key=lambda record: record.at, default=None)
