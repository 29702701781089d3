"""Run a module as the image would: `as_in_production.py SITE ABSENT (MODULE ARGUMENT.. | --import-all)`.

SITE holds the two packages as they are installed there; ABSENT, a JSON list, names the modules that are not.
"""

import json
import runpy
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

SCRIPTS = ".migrations."  # Alembic runs them, nobody imports them


class Absent(MetaPathFinder):
    """Finds nothing where the production image has nothing."""

    def __init__(self, modules: set[str]) -> None:
        self._modules = modules

    def find_spec(self, fullname: str, *_: Sequence[str] | ModuleType | None) -> ModuleSpec | None:
        if fullname.partition(".")[0] in self._modules:
            raise ModuleNotFoundError(f"No module named {fullname!r} in production", name=fullname)
        return None


def import_all() -> None:
    """Import every module of both packages, and print their names."""
    for package in ("cadence_contracts", "cadence_engine"):
        for module in walk_packages(import_module(package).__path__, f"{package}."):
            if SCRIPTS not in module.name:
                import_module(module.name)
                print(module.name)


if __name__ == "__main__":
    site, absent, *command = sys.argv[1:]
    sys.path.insert(0, site)
    sys.meta_path.insert(0, Absent(set(json.loads(Path(absent).read_text()))))
    if command == ["--import-all"]:
        import_all()
    else:
        sys.argv = command
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
