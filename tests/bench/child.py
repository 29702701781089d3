"""Processes that run this package's own code: how such a one is called, and where it finds it."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def command(module: str, *arguments: str) -> list[str]:
    """Run a module of ours; from any directory, in an environment that has `search_path`."""
    return [sys.executable, "-m", module, *arguments]


def search_path() -> Mapping[str, str]:
    """For the environment of such a process."""
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
