"""Two sides on real PostgreSQL, of which exactly one runs its next statement at a time, BEGIN and COMMIT included."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from functools import partial
from types import MappingProxyType
from typing import Any, Final, cast

import asyncpg

from cadence_engine.storage.connection import Connection, Pool

LOOK_EVERY: Final = 0.002
PATIENCE: Final = 30.0
UNHURRIED: Final = """
    SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0; SET deadlock_timeout = '20ms'
"""
"""A side waits for its turn inside its transaction, however slow the machine; a deadlock is found soon."""

Work = Callable[[Pool], Awaitable[object]]
"""What a side does, in one transaction or several."""


class Stand(Enum):
    """How a side stands after its turn."""

    READY = auto()
    """It has a next statement."""
    BLOCKED = auto()
    """Its statement waits for a lock that the other side holds."""
    ENDED = auto()


class Side:
    """A pool of one connection, and a connection that asks for a turn before each statement.

    `rewritten`: pieces of SQL and what takes their place, as if the source said so.
    """

    def __init__(self, connection: Connection, watcher: Connection, rewritten: Mapping[str, str]) -> None:
        self._connection = connection
        self._watcher = watcher
        self._rewritten = rewritten
        self._turn = asyncio.Semaphore(0)
        self._asks = asyncio.Event()
        self._task: asyncio.Future[object] | None = None
        self.in_transaction = False
        self.deadlocks = 0
        self.on_commit: Callable[[], None] = lambda: None

    # What the handlers see

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["Side"]:
        yield self

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        transaction = self._connection.transaction()
        await self._in_turn(transaction.start)
        self.in_transaction = True
        try:
            yield
        except BaseException as error:
            self.deadlocks += isinstance(error, asyncpg.DeadlockDetectedError)
            await transaction.rollback()  # at once: it only lets go
            self.in_transaction = False
            raise
        await self._in_turn(transaction.commit)
        self.in_transaction = False
        self.on_commit()

    async def execute(self, statement: str, *values: object) -> Any:
        return await self._in_turn(self._connection.execute, self._rewrite(statement), *values)

    async def fetch(self, statement: str, *values: object) -> Any:
        return await self._in_turn(self._connection.fetch, self._rewrite(statement), *values)

    async def fetchrow(self, statement: str, *values: object) -> Any:
        return await self._in_turn(self._connection.fetchrow, self._rewrite(statement), *values)

    async def fetchval(self, statement: str, *values: object) -> Any:
        return await self._in_turn(self._connection.fetchval, self._rewrite(statement), *values)

    async def copy_records_to_table(self, table: str, **what: Any) -> Any:
        return await self._in_turn(partial(self._connection.copy_records_to_table, **what), table)

    async def _in_turn(self, statement: Callable[..., Awaitable[Any]], *arguments: object) -> Any:
        self._asks.set()
        await self._turn.acquire()
        return await statement(*arguments)

    def _rewrite(self, statement: str) -> str:
        for old, new in self._rewritten.items():
            statement = statement.replace(old, new)
        return statement

    # What the stepper does

    async def begin(self, work: Work) -> None:
        """Start the work, up to where it asks for its first statement."""
        self._task = asyncio.ensure_future(work(cast("Pool", self)))
        await self.stand()

    async def step(self) -> Stand:
        """Let it run one statement, and all that follows without one; nothing where it is blocked or has ended."""
        if await self.stand() is not Stand.READY:
            return await self.stand()
        self._asks.clear()
        self._turn.release()
        return await self.stand()

    async def stand(self) -> Stand:
        """Raises what ended the work."""
        assert self._task is not None
        async with asyncio.timeout(PATIENCE):
            while True:
                asked: asyncio.Future[object] = asyncio.ensure_future(self._asks.wait())
                await asyncio.wait([self._task, asked], timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
                if self._task.done():
                    await self._task
                    return Stand.ENDED
                if self._asks.is_set():
                    return Stand.READY
                if await self._is_blocked():
                    return Stand.BLOCKED

    async def give_up(self) -> None:
        """End the work wherever it is; its transaction is rolled back."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._task

    async def _is_blocked(self) -> bool:
        pid = self._connection.get_server_pid()
        return bool(await self._watcher.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid))


class Stepper:
    """Two sides, and the order in which their transactions were committed."""

    def __init__(self, one: Side, other: Side) -> None:
        self._sides = one, other
        self.committed: list[int] = []
        """0 or 1 for each commit: whose it was."""
        self.met = False
        """Whether one began while a transaction of the other was open."""

    @property
    def deadlocks(self) -> int:
        return sum(side.deadlocks for side in self._sides)

    async def play(self, works: tuple[Work, Work], turns: Sequence[int | None]) -> list[int]:
        """`turns`: so many statements of the first side, of the second, of the first, ..; None: as far as it can.

        After them all goes to its end, the side of the last turns last. Answers how many statements each turn had.
        """
        had = []
        try:
            for number, (side, work) in enumerate(zip(self._sides, works, strict=True)):
                side.on_commit = partial(self.committed.append, number)
                await side.begin(work)
            for number, at_most in enumerate(turns):
                side, rival = self._sides[number % 2], self._sides[1 - number % 2]
                self.met = self.met or rival.in_transaction
                had.append(await self._advance(side, at_most))
            await self._finish(len(turns) % 2)
        finally:
            for side in self._sides:
                await side.give_up()
        return had

    async def _advance(self, side: Side, at_most: int | None) -> int:
        steps = 0
        while (at_most is None or steps < at_most) and await side.stand() is Stand.READY:
            await side.step()
            steps += 1
        return steps

    async def _finish(self, first: int) -> None:
        """Each goes on where the other is blocked: a deadlock is PostgreSQL's to end."""
        sides = self._sides[first], self._sides[1 - first]
        async with asyncio.timeout(PATIENCE):
            while [await side.stand() for side in sides] != [Stand.ENDED, Stand.ENDED]:
                await self._advance(sides[0], None)
                await self._advance(sides[1], None if await sides[0].stand() is Stand.ENDED else 1)


@asynccontextmanager
async def two_sides(
    pool: Pool, rewritten: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Callable[[], Stepper]]:
    """Makes a stepper for each play, on connections of `pool` that are kept for all of them."""
    async with pool.acquire() as one, pool.acquire() as other, pool.acquire() as watcher:
        for connection in (one, other):
            await connection.execute(UNHURRIED)
        yield lambda: Stepper(Side(one, watcher, rewritten), Side(other, watcher, rewritten))
