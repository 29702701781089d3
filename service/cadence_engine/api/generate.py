"""Writes `contracts/openapi.yaml` of this checkout.

python -m cadence_engine.api.generate             write it
python -m cadence_engine.api.generate --check     only say whether it has drifted; exit code 1 if so
"""

import argparse
import sys
from io import StringIO
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import walk_tree

from cadence_engine.api.app import ALL
from cadence_engine.api.openapi import document

FILE: Final = Path(__file__).resolve().parents[3] / "contracts" / "openapi.yaml"
COMMAND: Final = "python -m cadence_engine.api.generate"


def generated() -> str:
    """The text of the file."""
    described = document(ALL)
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 110
    yaml.representer.ignore_aliases = lambda _: True
    walk_tree(described)
    text = StringIO()
    text.write(f"# Generated from the routes by {COMMAND}: do not edit.\n")
    yaml.dump(described, text)
    return text.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Writes or checks; the exit code."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="Writes contracts/openapi.yaml of this checkout.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 if it has drifted")
    text = generated()
    if not parser.parse_args(arguments).check:
        FILE.write_text(text)
        return 0
    if FILE.is_file() and FILE.read_text() == text:
        return 0
    sys.stderr.write(f"drifted: {FILE.name}; run {COMMAND}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
