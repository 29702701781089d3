"""Whether what came out of one passage is what had to; answers every difference in a sentence."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cadence_contracts.outbound import (
    EnrollmentCancelled,
    EnrollmentCompleted,
    EnrollmentEvent,
    EnrollmentParked,
    EnrollmentResumed,
    EnrollmentStarted,
    EventCause,
    SendRequested,
    StepExecuted,
    StepSkipped,
)
from cadence_engine.devstack.demo.demands import Passage
from cadence_engine.devstack.demo.seen import Trace
from cadence_engine.domain.cadence import Step

DECIDED_WITHIN = timedelta(seconds=5)
"""After a stopping record was acknowledged, steps that were due before it may still be decided for so long."""
CLOCKS_APART = timedelta(milliseconds=250)
"""The broker stamps replies, the database decides; on one machine both read one clock, in milliseconds and finer."""


@dataclass(slots=True)
class Judgement:
    """`steps` of its positions had to be sent; `differences` is empty where all is right."""

    steps: int = 0
    differences: list[str] = field(default_factory=list)


def judge(passage: Passage, trace: Trace, grey: timedelta) -> Judgement:
    """Whether a passage went as demanded.

    `grey` is how long before a stopping record a step may have been due without being sent: as late as sends were.
    """
    walk = _Walk(passage, trace, grey)
    judgement = Judgement(differences=[f"{passage}: {told}" for told in walk.differences()])
    judgement.steps = walk.demanded_steps
    return judgement


class _Walk:
    """Goes through the events of one enrollment, and holds each against what may stand there."""

    def __init__(self, passage: Passage, trace: Trace, grey: timedelta) -> None:
        self._passage = passage
        self._steps = passage.definition.steps
        self._trace = trace
        self._grey = grey
        self._sends = {arrived.send.send_id: arrived.send for arrived in trace.sends}
        self._erased = {event.step_key for event in trace.events if isinstance(event, StepSkipped)}
        self._due: datetime | None = None
        self._position = 0
        self._parked = False
        self._over = False
        self.demanded_steps = 0

    def differences(self) -> Iterator[str]:
        revisions = [event.revision for event in self._trace.events if not isinstance(event, StepSkipped)]
        if revisions != list(range(1, len(revisions) + 1)):
            yield f"its revisions are {revisions}, without order or with gaps"
        for event in self._trace.events:
            if self._over:
                yield f"{event.event_type} after its end"
            yield from self._hold(event)
        for send in self._sends.values():
            yield f"a send of {send.step_key}, due {send.due_at:%H:%M:%S.%f}, that no step.executed tells of"
        yield from self._end()

    def _hold(self, event: EnrollmentEvent) -> Iterator[str]:
        match event:
            case EnrollmentStarted():
                yield from self._hold_start(event)
            case StepExecuted():
                yield from self._hold_step(event)
            case EnrollmentParked():
                yield from self._hold_parking(event)
            case EnrollmentResumed():
                if not self._parked:
                    yield "resumed though it was not parked"
                self._parked = False
            case EnrollmentCompleted():
                yield from self._hold_completion(event)
            case EnrollmentCancelled():
                yield from self._hold_cancel(event)
            case StepSkipped() if self._stopped_by("contact_deleted"):
                pass  # decided before the contact was deleted, erased before it was published
            case _:
                yield f"{event.event_type}, which nothing asked for"

    def _hold_start(self, event: EnrollmentStarted) -> Iterator[str]:
        cause = event.cause
        told = (cause.source, cause.id) if isinstance(cause, EventCause) else None
        if event.trigger != self._passage.trigger or told != self._passage.cause:
            yield f"started by {event.trigger} {told}, not by {self._passage.trigger} {self._passage.cause}"
        yield from self._hold_wait(event.at, event.next_run_at, 0)

    def _hold_wait(self, at: datetime, next_run_at: datetime | None, position: int) -> Iterator[str]:
        self._due = next_run_at
        step = self._step(position)
        demanded = None if step is None else at + step.wait.exact
        if next_run_at != demanded:
            yield f"after {position} steps it waits until {next_run_at}, not until {demanded}"

    def _hold_step(self, event: StepExecuted) -> Iterator[str]:
        step = self._step(self._position)
        if step is None or event.step_key != step.key or event.step_index != self._position:
            yield f"step {event.step_key} ran at position {self._position}"
            return
        if event.due_at != self._due:
            yield f"step {step.key} ran for {event.due_at}, but was due {self._due}"
        if self._parked:
            yield f"step {step.key} ran while parked"
        send = self._sends.pop(event.send_id, None)
        if send is not None:
            yield from self._hold_send(step, send, event)
        elif step.key not in self._erased:
            yield f"step {step.key} ran, but its send is missing"
        self._position += 1
        yield from self._hold_wait(event.at, event.next_run_at, self._position)

    def _hold_send(self, step: Step, send: SendRequested, event: StepExecuted) -> Iterator[str]:
        passage, template = self._passage, send.template
        about = f"the send of {step.key}"
        if (send.company_id, send.contact_id, send.step_key) != (passage.company_id, passage.contact_id, step.key):
            yield f"{about} is for {send.company_id}/{send.contact_id}, step {send.step_key}"
        if send.due_at != event.due_at or template.id != step.template.id:
            yield f"{about} was due {send.due_at} with template {template.id}"
        since, until = send.requested_at - self._grey, send.requested_at
        facts = passage.facts
        right = facts.variables(step.template, since, until)
        if template.variables.keys() != right.keys():
            yield f"{about} fills {sorted(template.variables)}, not {sorted(right)}"
        wrong = [name for name, text in template.variables.items() if text not in right.get(name, ())]
        if wrong:
            yield f"{about} has the wrong text for {', '.join(wrong)}"
        if template.language not in facts.languages(passage.definition.language, since, until):
            yield f"{about} is in {template.language}"
        if send.to not in facts.contact.between("phone", since, until):
            yield f"{about} goes to another number than the contact's"
        if send.conversation_id not in facts.contact.between("conversation", since, until):
            yield f"{about} goes to another conversation than the contact's"
        if passage.stop is not None:
            yield from self._hold_promise(about, send, passage.stop.at)

    @staticmethod
    def _hold_promise(about: str, send: SendRequested, stopped_at: datetime) -> Iterator[str]:
        if send.due_at >= stopped_at:
            yield f"{about} was due {_seconds(send.due_at - stopped_at)} after the contact's word against it"
        if send.requested_at > stopped_at + DECIDED_WITHIN + CLOCKS_APART:
            yield f"{about} was decided {_seconds(send.requested_at - stopped_at)} after the contact's word against it"

    def _hold_parking(self, event: EnrollmentParked) -> Iterator[str]:
        step = self._step(self._position)
        self._parked = True
        if step is None or self._passage.facts.obstacle(step, event.at - self._grey) != event.reason:
            yield f"parked at position {self._position} ({event.reason}) without need"

    def _hold_completion(self, event: EnrollmentCompleted) -> Iterator[str]:
        self._over = True
        if self._position != len(self._steps):
            yield f"completed after {self._position} of {len(self._steps)} steps"
        if tuple(event.tags) != self._passage.definition.completion_tags:
            yield f"completed with the tags {event.tags}"

    def _hold_cancel(self, event: EnrollmentCancelled) -> Iterator[str]:
        self._over = True
        stop = self._passage.stop
        if stop is None:
            yield f"cancelled ({event.reason}) without need"
            return
        cause = (event.cause.source, event.cause.id) if isinstance(event.cause, EventCause) else None
        if (event.reason, cause, event.message_id) != (stop.reason, (stop.source, stop.id), stop.message_id):
            yield f"cancelled ({event.reason}) by {cause}, not ({stop.reason}) by {(stop.source, stop.id)}"

    def _end(self) -> Iterator[str]:
        """What is missing, and how many steps had to be sent."""
        last, stop = self._trace.last, self._passage.stop
        if stop is not None:
            yield from self._end_by(stop.at)
        elif self._passage.stays_parked:
            self.demanded_steps = self._position
            if not isinstance(last, EnrollmentParked):
                yield "is not parked, though it lacks what its step needs"
        else:
            self.demanded_steps = len(self._steps)
            if not isinstance(last, EnrollmentCompleted):
                yield f"is not completed: {self._position} of {len(self._steps)} steps ran"

    def _end_by(self, stopped_at: datetime) -> Iterator[str]:
        self.demanded_steps = self._position
        if not isinstance(self._trace.last, EnrollmentCancelled):
            yield "is not cancelled"
        elif self._due is not None and self._due < stopped_at - self._grey and not self._parked:
            self.demanded_steps += 1
            early = _seconds(stopped_at - self._due)
            yield f"its step at position {self._position} was due {early} before it was stopped, and not sent"

    def _stopped_by(self, reason: str) -> bool:
        return self._passage.stop is not None and self._passage.stop.reason == reason

    def _step(self, position: int) -> Step | None:
        return self._steps[position] if position < len(self._steps) else None


def _seconds(time: timedelta) -> str:
    return f"{time.total_seconds():.3f} s"
