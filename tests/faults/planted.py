"""Copies of the engine with a bug in them, for the oracle to find."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cadence_engine
from tests.faults import stage

SOURCE = Path(cadence_engine.__file__).parent


@dataclass(frozen=True, slots=True)
class Edit:
    """Replaces a piece of source that must be there exactly once."""

    file: str
    old: str
    new: str


def staged(directory: Path) -> stage.Stage:
    """The stage that the processes of a copy share; they import it as `cadence_engine.stage.STAGE`."""
    return stage.Stage(directory / "cadence_engine")


def copy_engine(directory: Path, edits: Sequence[Edit]) -> Path:
    """What to put into PYTHONPATH so that processes run the copy. Raises LookupError where the source has moved on."""
    copy = directory / "cadence_engine"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(stage.__file__, copy)
    for edit in edits:
        file = copy / edit.file
        source = file.read_text()
        found = source.count(edit.old)
        if found != 1:
            raise LookupError(
                f"{edit.file} holds {found} times what the planted bug replaces. The code has moved: bring the bug "
                f"up to date, so that the oracle is still shown to catch it. Looked for:\n{edit.old}"
            )
        file.write_text(source.replace(edit.old, edit.new))
    return directory
