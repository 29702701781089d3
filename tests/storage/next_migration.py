"""The schema's history with one migration more, as a next version would bring it."""

import shutil
from pathlib import Path

from cadence_engine.storage.migrations import SCRIPTS
from cadence_engine.storage.schema_version import newest_known

EXPAND = 'phase = "expand"'
NEXT = """
from cadence_engine.storage.migrations.steps import in_transaction, outside_of_transaction

revision = "next"
down_revision = "{newest}"
{marked}


def upgrade() -> None:
    {does}
"""


def add_next(scripts: Path, does: str, marked: str = EXPAND) -> None:
    """Write a migration behind the newest one in the folder; `does` is the body of its `upgrade`."""
    text = NEXT.format(newest=newest_known(), marked=marked, does=does)
    (scripts / "versions" / "9999_next.py").write_text(text)


def with_next(directory: Path, does: str, marked: str = EXPAND) -> Path:
    """The same in a copy of ours, in the directory."""
    scripts = directory / "migrations"
    shutil.copytree(SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    add_next(scripts, does, marked)
    return scripts
