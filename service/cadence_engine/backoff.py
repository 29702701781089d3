"""How long to wait after failures in a row, and a sleep that ends when the process is told to stop."""

import asyncio
import contextlib
import random


class Backoff:
    """Waits that double from `first` to `most` seconds, each less up to half at random, so that replicas spread."""

    def __init__(self, first: float = 0.1, most: float = 10.0) -> None:
        self._first = first
        self._most = most
        self.failures = 0

    def next(self) -> float:
        """Count one more failure; answers the seconds to wait."""
        self.failures += 1
        return self.seconds_after(self.failures)

    def seconds_after(self, failures: int) -> float:
        """The seconds to wait after so many failures in a row, one or more."""
        longest = min(self._most, self._first * 2.0 ** min(failures - 1, 30))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  # it keeps no secret

    def reset(self) -> None:
        """All is well again."""
        self.failures = 0


async def sleep_unless(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but no longer than until `stop` is set."""
    if seconds <= 0:
        await asyncio.sleep(0)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
