"""The Kafka topics of the cadence engine. For what the engine reads, the topic's name is the event's type."""

from typing import Final

CONTACT_CREATED: Final = "contact.created"
CONTACT_UPDATED: Final = "contact.updated"
CONTACT_DELETED: Final = "contact.deleted"
CONTACT_PREFERENCES_CHANGED: Final = "contact.preferences.changed"
MESSAGE_RECEIVED: Final = "message.received"
LEAD_CREATED: Final = "lead.created"
PURCHASE_COMPLETED: Final = "purchase.completed"
COMPANY_UPDATED: Final = "company.updated"
COMPANY_DELETED: Final = "company.deleted"
ENROLLMENT_REQUESTED: Final = "enrollment.requested"
ENROLLMENT_CANCEL_REQUESTED: Final = "enrollment.cancel.requested"

GATE: Final = (
    MESSAGE_RECEIVED,
    CONTACT_PREFERENCES_CHANGED,
    CONTACT_DELETED,
    COMPANY_DELETED,
    ENROLLMENT_CANCEL_REQUESTED,
)
"""What can stop a step: the engine decides nothing until it has applied these. Set them to `LogAppendTime`."""

INBOUND: Final = (
    CONTACT_CREATED,
    CONTACT_UPDATED,
    CONTACT_DELETED,
    CONTACT_PREFERENCES_CHANGED,
    MESSAGE_RECEIVED,
    LEAD_CREATED,
    PURCHASE_COMPLETED,
    COMPANY_UPDATED,
    COMPANY_DELETED,
    ENROLLMENT_REQUESTED,
    ENROLLMENT_CANCEL_REQUESTED,
)

OUTBOUND: Final = "whatsapp.outbound"
EVENTS: Final = "cadence.events"
DEAD_LETTERS: Final = "cadence.dead-letters"

SEND_REQUESTED: Final = "whatsapp.send.requested"
ENROLLMENT_STARTED: Final = "cadence.enrollment.started"
STEP_EXECUTED: Final = "cadence.step.executed"
STEP_SKIPPED: Final = "cadence.step.skipped"
ENROLLMENT_PAUSED: Final = "cadence.enrollment.paused"
ENROLLMENT_RESUMED: Final = "cadence.enrollment.resumed"
ENROLLMENT_PARKED: Final = "cadence.enrollment.parked"
ENROLLMENT_CANCELLED: Final = "cadence.enrollment.cancelled"
ENROLLMENT_COMPLETED: Final = "cadence.enrollment.completed"

_TOPIC_OF: Final = {
    SEND_REQUESTED: OUTBOUND,
    ENROLLMENT_STARTED: EVENTS,
    STEP_EXECUTED: EVENTS,
    STEP_SKIPPED: EVENTS,
    ENROLLMENT_PAUSED: EVENTS,
    ENROLLMENT_RESUMED: EVENTS,
    ENROLLMENT_PARKED: EVENTS,
    ENROLLMENT_CANCELLED: EVENTS,
    ENROLLMENT_COMPLETED: EVENTS,
    **{name: name for name in INBOUND},
}


def topic_of(event_type: str) -> str:
    """The topic that carries an event type; `KeyError` for a type that the contract does not name."""
    return _TOPIC_OF[event_type]
