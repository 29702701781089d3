"""Either side as a process of its own, watched as the engine's are."""

import sys
from pathlib import Path
from typing import ClassVar, Final

from cadence_engine.devstack.fleet import EngineProcess
from tests.bench.stage import Ground

ROOT: Final = Path(__file__).parents[3]
DONE: Final = "done.json"


class Side(EngineProcess):
    """Reads so many records of `contact.created`, and then says so in `done`."""

    name: ClassVar[str] = "reading"

    def __init__(self, ground: Ground, side: str, rows: int) -> None:
        super().__init__(ground.directory / side, ground.environment(PYTHONPATH=str(ROOT)))
        self._arguments = [side, str(rows)]

    def configure(self) -> list[str]:
        super().configure()
        return [sys.executable, "-m", "tests.bench.reading", *self._arguments]

    @property
    def done(self) -> Path:
        return self.directory / DONE
