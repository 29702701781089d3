"""What the oracle says when a promise is broken."""

from dataclasses import dataclass
from enum import StrEnum

from tests.faults.oracle.history import ContactKey, Record


class Promise(StrEnum):
    PUBLISHED_ONCE = "each event is published once"
    REVISIONS = "revisions are 1, 2, 3.. in their order"
    CONSISTENT = "started, sent, executed, completed and cancelled agree"
    STEPS_IN_ORDER = "each due step runs exactly once, in order"
    CONTENT = "a send is what its step and its contact say"
    NONE_EARLY = "nothing is sent before it is due"
    DUE_TIMES = "a step is due when its wait is over, in the contact's zone"
    NONE_AFTER_A_STOP = "nothing is sent for a due time at or after a reply, an opt-out or a deletion"
    NONE_BEYOND_MAX_LAG = "nothing is decided later than max_lag after Kafka acknowledged a stop"
    NONE_AFTER_A_CANCEL = "nothing is decided after a confirmed cancel"
    OWN_COMPANY = "nothing of one company reaches another"
    ASKED_FOR = "nothing starts or ends without its cause"
    NOTHING_MISSING = "nothing is missing at the end"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise."""

    promise: Promise
    what: str
    contact: ContactKey
    enrollment_id: str | None = None
    records: tuple[Record, ...] = ()

    def __str__(self) -> str:
        enrollment = f", enrollment {self.enrollment_id}" if self.enrollment_id else ""
        places = f" ({', '.join(record.where for record in self.records)})" if self.records else ""
        return f"{self.promise}: contact {'/'.join(self.contact)}{enrollment}: {self.what}{places}"
