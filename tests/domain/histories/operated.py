"""What operators may do with a passage, and what the promises say comes of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cadence_engine.domain.operate import Cancel, Operation, Pause, Resume, RunNow, Skip
from cadence_engine.domain.resume import ResumeMode
from tests.domain.histories.local_time import end_of
from tests.domain.histories.passage import OPERATOR, Passage, wire


@dataclass
class Turns:
    """Moments for what would be overdue, one after the other."""

    following: datetime

    def take(self) -> datetime:
        taken = self.following
        self.following += timedelta(seconds=0.1)
        return taken


class Order(NamedTuple):
    """What is asked of a passage; `zone`: where its days are counted."""

    operation: Operation
    now: datetime
    zone: str
    cadence_runs: bool
    turns: Turns
    by: dict[str, Any] = OPERATOR
    reason: str = "because"


class Operated(Passage):
    """A passage that takes orders. Asked again it stays as it is, and whatever it does is told."""

    def obey(self, order: Order) -> str:
        """`done`, or why it was left as it is."""
        operation, now, by = order.operation, order.now, order.by
        if not self.live:
            return "already" if isinstance(operation, Cancel) and self.status == "cancelled" else "ended"
        match operation:
            case Cancel():
                self.cancel("operator", by, now, note=order.reason)
            case Pause(until) if (self.paused_by, self.resume_at) == ("operator", until):
                return "already"
            case Pause(until):
                self.pause(now, now, by, holder="operator", reason=order.reason, until=until)
            case Skip(key) if self._step.key != key:
                return "another_step"
            case Skip():
                self._skip(order)
            case RunNow():
                return self._hasten(order)
            case Resume(mode):
                return self._let_go(mode, order)
        return "done"

    def _hasten(self, order: Order) -> str:
        if self.status != "active":
            return self.status
        assert self.due is not None
        if self.due <= order.now:
            return "already"
        more = {"stepKey": self._step.key, "stepIndex": self.position, "note": order.reason}
        times = {"dueAt": wire(self.due), "nextRunAt": wire(order.now)}
        self._tell(order.now, order.by, "cadence.step.hastened", **more, **times)
        self.due = order.now
        return "done"

    def _let_go(self, mode: ResumeMode, order: Order) -> str:
        if self.paused_by != "operator":
            return {"parked": "parked", "paused": "held_by_cadence", "active": "already"}[self.status]
        assert self.held_due is not None
        now, by = order.now, order.by
        if not order.cadence_runs:
            self.pause(now, now, by, reason="cadence_paused")
        elif mode is ResumeMode.SHIFT:
            self.resume(now, by, self.shifted(now, order.turns), order.reason)
        elif mode is ResumeMode.CATCH_UP or self.held_due > now:
            self.resume(now, by, self.held_due if self.held_due > now else order.turns.take(), order.reason)
        else:
            self._go_on_behind_what_was_missed(order)
        return "done"

    def shifted(self, now: datetime, turns: Turns) -> datetime:
        """When it is due where the rest of its wait begins now."""
        return now + self.left if self.left else turns.take()

    def _go_on_behind_what_was_missed(self, order: Order) -> None:
        assert self.held_due is not None
        due = self.held_due
        while due <= order.now:
            if self._is_at_last_step:
                return self._end_without_last_step("missed", order)
            due = self._due_behind(due, order)
            self._pass_over("missed", order, due)
        return self.resume(order.now, order.by, due, order.reason)

    def _skip(self, order: Order) -> None:
        if self._is_at_last_step:
            return self._end_without_last_step("operator", order)
        if self.held_due is not None and self.left is not None:
            due = self._due_behind(self.held_due, order)
            self.left, self.held_due = self.left + (due - self.held_due), due
            return self._pass_over("operator", order, None)
        assert self.due is not None
        due = self._due_behind(max(self.due, order.now), order)
        self._free()
        self.status, self.due = "active", due
        return self._pass_over("operator", order, due)

    @property
    def _is_at_last_step(self) -> bool:
        return self.position == len(self.plan.steps) - 1

    def _due_behind(self, due: datetime, order: Order) -> datetime:
        return end_of(due, self.plan.steps[self.position + 1].wait, order.zone)

    def _end_without_last_step(self, why: str, order: Order) -> None:
        self._pass_over(why, order, None)
        self._complete(order.now, order.by)

    def _pass_over(self, why: str, order: Order, due: datetime | None) -> None:
        more = {"stepKey": self._step.key, "stepIndex": self.position, "reason": why, "note": order.reason}
        self.position += 1
        self.revision += 1
        self._tell(order.now, order.by, "cadence.step.skipped", **more, nextRunAt=due and wire(due))
