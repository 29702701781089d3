"""What the cadence engine reads from and writes to Kafka.

`read_record` and `inbound.parse` or `outbound.parse` read a record, `write_record` writes one; `topics` names the
topics.
"""

from cadence_contracts import inbound, outbound, topics
from cadence_contracts.dead_letters import InvalidRecord, Reason
from cadence_contracts.envelope import Envelope, read_record
from cadence_contracts.records import Record, structured_value, write_record

__all__ = [
    "Envelope",
    "InvalidRecord",
    "Reason",
    "Record",
    "inbound",
    "outbound",
    "read_record",
    "structured_value",
    "topics",
    "write_record",
]
