"""Waiting for a certain message, to strike just before it passes or just before its answer does."""

import asyncio
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any, Generic, TypeVar

M = TypeVar("M")

Strike = Callable[[], Coroutine[Any, Any, object]]


class Moment(StrEnum):
    BEFORE = "before"
    """The server has not got the message."""
    AFTER = "after"
    """The server has answered it, and the client has not heard."""


class Struck(ConnectionAbortedError):  # noqa: N818  # it names what happened
    """The message, or its answer, is lost, and its connection with it."""


class Ambush(Generic[M]):
    """Looks at the messages of all connections of a link, and strikes once each time that it is laid."""

    def __init__(self) -> None:
        self._lies = False

    def lay(self, moment: Moment, matches: Callable[[M], bool], strike: Strike, *, nth: int = 1) -> None:
        """Strike at the nth message from now on that matches; while `strike` runs, message and answer are held."""
        self._moment, self._matches, self._strike, self._left = moment, matches, strike, nth
        self._sprung = asyncio.Event()
        self._lies = True

    async def struck(self, within: float = 30.0) -> None:
        """Return when the strike is over; raise what it raised. Raises TimeoutError when nothing fell into it."""
        await asyncio.wait_for(self._sprung.wait(), within)
        await self._striking

    async def pass_by(self, message: M) -> bool:
        """A message comes by: True when its answer is to be caught. Raises Struck when it must not go on."""
        if not self._lies or not self._matches(message):
            return False
        self._left -= 1
        if self._left:
            return False
        self._lies = False
        if self._moment is Moment.BEFORE:
            await self.catch()
        return True

    async def catch(self) -> None:
        """Strike now. Raises Struck, always."""
        self._striking = asyncio.create_task(self._strike())
        self._sprung.set()
        # A strike that kills the client closes the connection, which cancels whoever waits here.
        await asyncio.wait({self._striking})
        raise Struck
