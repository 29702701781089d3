"""Which dead letters somebody means."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cadence_engine.storage.relay import LetterId


class LetterState(StrEnum):
    """Kept: to be replayed or dropped. The other two are tombstones, without the record itself."""

    KEPT = "kept"
    REPLAYED = "replayed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """All dead letters that fit every field that is given; `since` and `until` are when they were found dead."""

    company_id: str | None
    """Those that name this company alone. None: of every company and of none, for the platform's own operators."""
    state: LetterState | None = LetterState.KEPT
    topic: str | None = None
    """As the deployment names it, its prefix included."""
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    letter: LetterId | None = None
    """This one alone."""
    contact_id: str | None = None
    """Those whose record names this contact."""

    def conditions(self) -> tuple[str, list[object]]:
        """As SQL, its first parameters, and their values."""
        topic, partition, offset = self.letter or (None, None, None)
        given = (
            ("company_id", "=", self.company_id),
            ("state", "=", self.state and self.state.value),
            ("topic", "=", self.topic),
            ("reason", "=", self.reason),
            ("created_at", ">=", self.since),
            ("created_at", "<=", self.until),
            ("topic", "=", topic),
            ("partition", "=", partition),
            ("record_offset", "=", offset),
            ("contact_id", "=", self.contact_id),
        )
        stated = [condition for condition in given if condition[2] is not None]
        written = [f"{column} {relation} ${n}" for n, (column, relation, _) in enumerate(stated, start=1)]
        return " AND ".join(written) or "true", [value for _, _, value in stated]
