"""What the production lock brings along, and under which licences. Run as a module, it writes deploy/LICENCES.md."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.deploy.composition import ROOT

LOCK: Final = ROOT / "requirements.lock"
LICENCES: Final = ROOT / "deploy" / "LICENCES.md"
BIN: Final = ROOT / ".venv" / "bin"
DENIED: Final = ("GPL", "GNU", "SSPL", "BUSL", "Business", "Commons Clause", "Proprietary", "Commercial", "UNKNOWN")
"""Whatever licence has one of these in its name asks for more than to be named."""

HEAD: Final = f"""# Licences of what the image holds

The packages of `requirements.lock`, as installed on Linux. `make licences` writes this list; it refuses a package whose
licence has one of these words in its name: {"; ".join(DENIED)}.

"""


class Denied(Exception):  # noqa: N818  # the tool's own words
    """A package's licence is not one that we take."""


Pin = tuple[str, str]
"""A package's normalised name, and a version."""


def locked() -> set[Pin]:
    """The production lock. Some packages have two versions in it, for an older and a newer Python."""
    return {
        (normalised(name), version)
        for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK.read_text(), re.MULTILINE)
    }


def normalised(name: str) -> str:
    """The name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names(pins: set[Pin]) -> list[str]:
    """Each once, in order."""
    return sorted({name for name, _ in pins})


def licences(packages: Sequence[str]) -> str:
    """A table of these packages, of which those that are not installed are left out. Raises Denied."""
    done = subprocess.run(
        [
            *(str(BIN / "pip-licenses"), "--format=markdown", "--with-system", "--order=name"),
            *("--partial-match", f"--fail-on={';'.join(DENIED)}", "--packages", *packages),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Denied(done.stderr.strip())
    return done.stdout


def rows(table: str) -> set[Pin]:
    """The packages in it."""
    cells = (line.split("|")[1:3] for line in table.splitlines() if line.startswith("| "))
    return {(normalised(name.strip()), version.strip()) for name, version in cells} - {("name", "Version")}


def write(file: Path = LICENCES) -> None:
    """Make the list anew."""
    file.write_text(HEAD + licences(names(locked())))


if __name__ == "__main__":
    write()
