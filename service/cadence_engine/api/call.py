"""What a route works with: who calls, and the engine as that company sees it."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.replay import Read
from cadence_engine.health import Readiness
from cadence_engine.storage import tenant
from cadence_engine.storage.connection import Connection, Pool
from cadence_engine.storage.database import UnitOfWork

T = TypeVar("T")

Wake = Callable[[Sequence[datetime]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls, as the credential says. `credential` names it in logs and limits, and is no secret."""

    company_id: str
    actor: str
    scopes: frozenset[Scope]
    credential: str


@dataclass(frozen=True, slots=True)
class Engine:
    """The same for every request. `pool` gives connections of `storage.tenant`; `wake` never raises."""

    pool: Pool
    policy: Policy
    wake: Wake
    readiness: Readiness
    read_letter: Read
    gate_topics: Sequence[str]
    """Those whose records stop steps: replayed before all others."""


@dataclass(frozen=True, slots=True)
class Call:
    """One authorised request."""

    principal: Principal
    engine: Engine

    @property
    def company_id(self) -> str:
        return self.principal.company_id

    @property
    def actor(self) -> str:
        return self.principal.actor

    async def run(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Do `work` in one transaction of the caller's company; when it is committed, hint at what it makes due."""
        answer, wake_at = await tenant.run(self.engine.pool, self.company_id, work)
        await self.engine.wake(wake_at)
        return answer

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A connection that reads the caller's company, all as of one moment."""
        return tenant.reading(self.engine.pool, self.company_id)
