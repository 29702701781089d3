"""What a migration may do while the version before is at work: read by squawk, which knows PostgreSQL's locks."""

import io
import re
import subprocess
import sys
from pathlib import Path

from alembic import command
from alembic.script import Script

from cadence_engine.storage.migrate import config

SQUAWK = Path(sys.executable).parent / "squawk"
NOT_OURS = (
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-text-field",  # of Alembic's own table
    "prefer-robust-stmts",  # each migration is a transaction, or begins anew: see `outside_of_transaction`
    "require-lock-timeout",  # all have one, by env.py
    "require-statement-timeout",
)
HEADING = re.compile(r"^## ([0-9]+\.[0-9]+\.[0-9]+)(, .*)?$", re.MULTILINE)


def sql_of(scripts: Path, script: Script) -> str:
    """What the migration runs, as SQL."""
    rendering = config(scripts)
    rendering.output_buffer = io.StringIO()
    command.upgrade(rendering, f"{script.down_revision or 'base'}:{script.revision}", sql=True)
    return rendering.output_buffer.getvalue()


def breaks(sql: str) -> list[str]:
    """The rules that the statements break: by any of these the version before would fail, or stand still."""
    checked = subprocess.run(
        [SQUAWK, "--reporter=gcc", "--pg-version=15", f"--exclude={','.join(NOT_OURS)}"],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line.split(": ", 2)[2] for line in checked.stdout.splitlines() if ": " in line]
    if checked.returncode and not found:
        raise RuntimeError(f"squawk failed: {checked.stdout}{checked.stderr}")
    return found


def refusals(scripts: Path, script: Script, changelog: str) -> list[str]:
    """Why this migration may not be released; empty: it may. CONTRIBUTING.md says the rule."""
    match getattr(script.module, "phase", None):
        case "expand":
            return breaks(sql_of(scripts, script))
        case "contract":
            version = getattr(script.module, "unused_since", None)
            released = [name for name, note in HEADING.findall(changelog) if "not released" not in note]
            return [] if version in released else [f"unused_since = {version!r} is no released version of CHANGELOG.md"]
        case phase:
            return [f"phase = {phase!r}: must be 'expand' or 'contract'"]
