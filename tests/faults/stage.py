"""Lets a test and the processes of a copy of the engine tell each other how far they are; copied into the copy."""

import asyncio
from pathlib import Path
from typing import Any


class Stage:
    """What was told is a file: it outlives whoever told it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def tell(self, what: str, by: object = "") -> None:
        """Let everybody know, once and for all."""
        (self._directory / f"{what}.{by}.told").touch()

    def was_told(self, what: str) -> bool:
        """Whether anybody has told it."""
        return self._tellers(what) > 0

    async def hear(self, what: str, connection: Any = None, *, from_so_many: int = 1) -> None:
        """Wait until it was told, by so many; a transaction of `connection` does not stand idle meanwhile."""
        async with asyncio.timeout(40):
            while self._tellers(what) < from_so_many:
                if connection is not None:
                    await connection.fetchval("SELECT 1")
                await asyncio.sleep(0.01)

    def _tellers(self, what: str) -> int:
        return sum(1 for _ in self._directory.glob(f"{what}.*.told"))


STAGE = Stage(Path(__file__).parent)
