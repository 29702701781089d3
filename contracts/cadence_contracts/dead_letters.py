"""Why a record goes to `cadence.dead-letters`, and the headers that it carries there."""

from enum import StrEnum
from typing import Final

HEADER_TOPIC: Final = "dlq-topic"
HEADER_PARTITION: Final = "dlq-partition"
HEADER_OFFSET: Final = "dlq-offset"
HEADER_TIMESTAMP: Final = "dlq-timestamp"
HEADER_REASON: Final = "dlq-reason"
HEADER_DETAIL: Final = "dlq-detail"
HEADER_TRUNCATED: Final = "dlq-truncated"


class Reason(StrEnum):
    """The codes of the `dlq-reason` header."""

    NOT_JSON = "not_json"
    NOT_CLOUDEVENT = "not_cloudevent"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_DATA = "invalid_data"
    NO_VALUE = "no_value"
    STALE = "stale"
    TOO_LARGE = "too_large"
    """An event of the engine itself that its topic does not take; its partition and offset are -1."""


class InvalidRecord(Exception):  # noqa: N818 - it names the record, as the contract does
    """A record that the contract does not allow.

    `detail` says where, what is wrong and what is allowed, never what the record held (it may be personal data);
    it is printable text of at most a few hundred characters.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["InvalidRecord"], tuple[Reason, str]]:
        return InvalidRecord, (self.reason, self.detail)
