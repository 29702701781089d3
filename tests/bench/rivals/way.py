"""What a rival is: how its jobs are made, and what each of its processes does."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tests.bench.rivals.desk import Desk
from tests.bench.stage import Ground

PROCESSES: Final = 2
"""As many as the engine has workers."""


async def nothing(_: Ground) -> None:
    """What is to be prepared where a database and topics are enough."""


@dataclass(frozen=True, slots=True)
class Way:
    """In this order: `prepare` makes its schema, `work` runs in each process until it is cancelled, `defer` asks for
    the steps of these enrollments at their due time. The nth of them may be left to process n modulo `processes`.
    """

    name: str
    what: str
    defer: Callable[[Ground, Sequence[UUID], datetime], Awaitable[None]]
    work: Callable[[Desk], Awaitable[None]]
    rows: int
    """Enough for five seconds or more on two cores."""
    prepare: Callable[[Ground], Awaitable[None]] = nothing
    goal: float | None = None
    processes: int = PROCESSES
    deferred_per_second: int = 4_000
    """So many can safely be asked for; they have to be waiting when they become due."""
