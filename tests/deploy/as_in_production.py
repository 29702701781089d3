"""Run a module as the image would: `as_in_production.py SITE ABSENT (MODULE ARGUMENT.. | --import-all)`.

SITE holds the two packages as they are installed there; ABSENT, a JSON list, names the modules that are not.
"""

import json
import runpy
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

SCRIPTS = ".migrations."  # Alembic runs them, nobody imports them


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
    # An import fails then, and whoever only asks for the module is told that there is none.
    sys.modules.update(dict.fromkeys(json.loads(Path(absent).read_text())))
    if command == ["--import-all"]:
        import_all()
    else:
        sys.argv = command
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
