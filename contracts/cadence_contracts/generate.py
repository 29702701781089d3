"""Writes `schemas/*.json` and `asyncapi.yaml` of this checkout from the models, and of the client what follows from
`openapi.yaml`, which the engine writes.

    python -m cadence_contracts.generate             write them
    python -m cadence_contracts.generate --check     only say what has drifted; exit code 1 if anything has
    python -m cadence_contracts.generate --release   also make them the baseline that later changes are held against

Needs ruamel.yaml and ruff, which reading and writing records does not.
"""

import argparse
import json
import sys
import tomllib
from io import StringIO
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import walk_tree

from cadence_contracts import asyncapi, client_code, inbound, outbound
from cadence_contracts.compatibility import Direction, breaking_changes
from cadence_contracts.schemas import ENVELOPE, data_schemas, envelope_schema

HOME: Final = Path(__file__).resolve().parents[1]
RELEASED: Final = "schemas/released"
CLIENT: Final = "cadence_contracts/client"


def generated(home: Path = HOME) -> dict[str, str]:
    """Every generated file's text, by its path below `home`, a checkout's `contracts` folder."""
    schemas = {ENVELOPE: envelope_schema()} | data_schemas()
    texts = {f"schemas/{name}.json": _json(schema) for name, schema in schemas.items()}
    version = tomllib.loads((home / "pyproject.toml").read_text())["project"]["version"]
    examples = {name: _example(home, name) for name in (*inbound.MODELS, *outbound.MODELS)}
    client = client_code.generated(YAML(typ="safe").load((home / "openapi.yaml").read_text()))
    texts |= {f"{CLIENT}/{name}": text for name, text in client.items()}
    return texts | {"asyncapi.yaml": _yaml(asyncapi.document(version, examples))}


def drifted(home: Path = HOME) -> list[str]:
    """The generated files that are missing, differ, or are left over."""
    texts = generated(home)
    left_over = [
        path.relative_to(home).as_posix()
        for path in (home / "schemas").glob("*.json")
        if path.relative_to(home).as_posix() not in texts
    ]
    return [name for name, text in texts.items() if not _holds(home / name, text)] + left_over


def broken(home: Path = HOME) -> list[str]:
    """What the models break of the released baseline, a sentence each."""
    released = {path.stem: json.loads(path.read_text()) for path in sorted((home / RELEASED).glob("*.json"))}
    current = {ENVELOPE: envelope_schema()} | data_schemas()
    found = [f"{name}: the event type is gone" for name in released if name not in current]
    for name, old in released.items():
        direction: Direction = "outbound" if name in outbound.MODELS else "inbound"
        if name in current:
            found += [f"{name}: {change}" for change in breaking_changes(old, current[name], direction)]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Writes or checks; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m cadence_contracts.generate", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="write nothing, exit with 1 if anything has drifted")
    choice.add_argument("--release", action="store_true", help="also make the schemas the released baseline")
    chosen = parser.parse_args(arguments)
    if breaks := broken():
        sys.stderr.write("".join(f"breaks the released contract: {change}\n" for change in breaks))
        sys.stderr.write("Keep the old field or type, and give a changed meaning a new type name (..v2).\n")
    if chosen.check:
        differing = drifted()
        sys.stderr.write("".join(f"drifted: {name}; run python -m cadence_contracts.generate\n" for name in differing))
        return 1 if breaks or differing else 0
    if breaks:
        return 1
    _write(generated(), HOME)
    if chosen.release:
        schemas = {name: text for name, text in generated().items() if name.startswith("schemas/")}
        _write({name.replace("schemas", RELEASED, 1): text for name, text in schemas.items()}, HOME)
    return 0


def _write(texts: dict[str, str], home: Path) -> None:
    for name, text in texts.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text() == text


def _example(home: Path, name: str) -> Any:
    return json.loads((home / "examples" / name / "full.json").read_text())


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=True) + "\n"


def _yaml(document: dict[str, Any]) -> str:
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 110
    yaml.representer.ignore_aliases = lambda _: True
    walk_tree(document)
    text = StringIO()
    text.write("# Generated from cadence_contracts by python -m cadence_contracts.generate: do not edit.\n")
    yaml.dump(document, text)
    return text.getvalue()


if __name__ == "__main__":
    sys.exit(main())
