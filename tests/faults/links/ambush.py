"""Waiting for a certain message, to strike just before it passes or just before its answer does."""

import asyncio
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any, Generic, TypeVar

M = TypeVar("M")

Strike = Callable[[], Coroutine[Any, Any, object] | None]


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
        self._struck = asyncio.Event()

    def lay(self, moment: Moment, matches: Callable[[M], bool], strike: Strike, *, goes_on: bool = False) -> None:
        """Strike at the next message that matches; while `strike` runs, message and answer are held.

        `goes_on`, only BEFORE: the message passes afterwards, instead of being lost with its connection.
        """
        self._moment, self._matches, self._strike, self._goes_on = moment, matches, strike, goes_on
        self._struck.clear()
        self._lies = True

    async def struck(self, within: float = 60.0) -> None:
        """Return when the strike is over; raises what it raised. Raises TimeoutError when nothing fell into it."""
        await asyncio.wait_for(self._struck.wait(), within)
        await self._striking

    async def pass_by(self, message: M) -> bool:
        """A message comes by: True when its answer is to be caught. Raises Struck when it must not pass."""
        if not self._lies or not self._matches(message):
            return False
        if self._moment is Moment.AFTER:
            return True  # and still lies: that answer may never come
        await self.catch()
        return False

    async def catch(self) -> None:
        """Strike now, if nobody else has. Raises Struck where nothing goes on."""
        if self._lies:
            self._lies = False
            # A task of its own: the strike may well end the connection, and whoever waits here with it.
            self._striking = asyncio.create_task(self._hit())
        await asyncio.shield(self._striking)
        if not self._goes_on:
            raise Struck

    async def _hit(self) -> None:
        try:
            struck = self._strike()
            if struck is not None:
                await struck
        finally:
            self._struck.set()
