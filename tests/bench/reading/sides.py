"""Either side as a process of its own, watched as the engine's are."""

from pathlib import Path
from typing import ClassVar, Final

from cadence_engine.devstack.fleet import EngineProcess
from tests.bench import child
from tests.bench.stage import Ground

DONE: Final = "done.json"


class Side(EngineProcess):
    """Reads so many records of `contact.created`, and then says so in `done`."""

    name: ClassVar[str] = "reading"

    def __init__(self, ground: Ground, side: str, rows: int) -> None:
        super().__init__(ground.directory / side, ground.environment(**child.search_path()))
        self._arguments = [side, str(rows)]

    def configure(self) -> list[str]:
        super().configure()
        return child.command("tests.bench.reading", *self._arguments)

    @property
    def done(self) -> Path:
        return self.directory / DONE
