"""What happened, a sentence for each event of the log."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cadence_engine.cli.output import at
from cadence_engine.domain import events
from cadence_engine.domain.enroll import Refusal
from cadence_engine.storage.reports.timeline import Happened


def line_of(happened: Happened) -> str:
    """Says the event, and who or what caused it; a type from a newer version is told by its name."""
    said = _said(happened.type, happened.data)
    return f"{said} (by {cause})" if (cause := _cause(happened.data)) else said


def _said(type_: str, told: Mapping[str, Any]) -> str:
    match type_:
        case events.STARTED:
            return f"started by {told.get('trigger')}, first step {_at(told.get('nextRunAt'))}"
        case events.STEP_EXECUTED:
            following = f", next {_at(told['nextRunAt'])}" if told.get("nextRunAt") else ""
            return f"step {told.get('stepKey')} sent, due {_at(told.get('dueAt'))}{following}"
        case events.STEP_SKIPPED:
            return f"step {told.get('stepKey')} skipped: {told.get('reason')}" + _because(told.get("note"))
        case events.HASTENED:
            return f"step {told.get('stepKey')} to run now, due {_at(told.get('dueAt'))}" + _because(told.get("note"))
        case events.MOVED:
            step = f"step {told['stepKey']}" if told.get("stepKey") else "its end"
            due = f", next {_at(told['nextRunAt'])}" if told.get("nextRunAt") else ""
            return f"moved from version {told.get('fromVersion')} to {told.get('version')}, {step}{due}" + _because(
                told.get("note")
            )
        case events.PAUSED:
            until = f", until {_at(told['resumeAt'])}" if told.get("resumeAt") else ""
            return "paused" + _because(told.get("reason")) + until
        case events.RESUMED:
            return "resumed" + _because(told.get("reason")) + f", next {_at(told.get('nextRunAt'))}"
        case events.PARKED:
            return f"parked: {told.get('reason')}, {told.get('detail')}"
        case events.CANCELLED:
            message = f", message {told['messageId']}" if told.get("messageId") else ""
            return f"cancelled: {told.get('reason')}{message}" + _because(told.get("note"))
        case events.COMPLETED:
            tags = told.get("tags") or []
            return "completed" + (f", tagged {', '.join(tags)}" if tags else "")
        case events.ANSWERED:
            return f"replied after the last step, message {told.get('messageId') or '-'}"
        case events.REFUSED:
            return f"not enrolled{_unmatched(told)}: {meaning_of(told.get('reason'))}"
        case events.ERASED:
            return "deleted: nothing of the person is kept" + _because(told.get("note"))
    return type_


def meaning_of(reason: object) -> str:
    """What an operator reads for the rule's code; a newer rule is told by its code."""
    return next((refusal.meaning for refusal in Refusal if refusal.value == reason), str(reason))


def _unmatched(told: Mapping[str, Any]) -> str:
    """The cadences whose `where` asks for something else, and in what."""
    cadences = told.get("cadences") or ()
    said = ", ".join(f"{each['cadenceKey']} (where {', '.join(each['fields'])})" for each in cadences)
    return f" in {said}" if said else ""


def _because(reason: object) -> str:
    return f": {reason}" if reason else ""


def _at(wire: object) -> str:
    return at(datetime.fromisoformat(wire)) or "-" if isinstance(wire, str) else "-"


def _cause(told: Mapping[str, Any]) -> str | None:
    cause = told.get("cause")
    if not isinstance(cause, Mapping):
        return None
    return str(cause["actor"]) if cause.get("actor") else f"{cause.get('source')} {cause.get('id')}"
