"""docker-compose.yml as Compose reads it on a machine that sets no variable."""

import re
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

ROOT: Final = Path(__file__).parent.parent.parent
Service = dict[str, Any]

VARIABLE: Final = re.compile(r"\$\{(?P<name>\w+):-(?P<default>[^}]*)\}")


def document() -> dict[str, Any]:
    """The whole file, with the defaults of its variables in place and its anchors followed."""
    text = VARIABLE.sub(lambda found: found["default"], (ROOT / "docker-compose.yml").read_text())
    assert "$" not in text, "this is neither ${NAME:-default} nor plain text"
    loaded: dict[str, Any] = YAML(typ="safe").load(text)
    return loaded


def services() -> dict[str, Service]:
    """Every service by its name."""
    found: dict[str, Service] = document()["services"]
    return found


def of_the_engine() -> dict[str, Service]:
    """The services that run our own image."""
    return {name: service for name, service in services().items() if "build" in service}


def depends_on(service: Service) -> dict[str, str]:
    """What a service waits for, and the condition."""
    return {name: waited["condition"] for name, waited in service.get("depends_on", {}).items()}


def seconds(duration: str) -> int:
    """`15s` -> 15."""
    return int(duration.removesuffix("s"))
