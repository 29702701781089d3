"""The golden examples of `contracts/examples`, and how to turn them into raw Kafka records."""

import base64
import json
from pathlib import Path
from typing import Any, Final

from cadence_contracts.generate import HOME

EXAMPLES: Final = HOME / "examples"
STRUCTURED: Final = [("content-type", b"application/cloudevents+json; charset=utf-8")]


def example(path: str) -> Any:
    """One example by its path below `examples`."""
    return json.loads((EXAMPLES / path).read_text())


def paths(pattern: str) -> list[str]:
    """The examples that match, below `examples`; never none."""
    found = sorted(path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.glob(pattern))
    assert found, f"no example matches {pattern}"
    return found


def folder(path: str) -> str:
    """The event type that an example is of."""
    return Path(path).parent.name


def raw(part: Any) -> bytes | None:
    """Bytes as the `records` examples write them: text, null, or `{"base64": ..}`."""
    if part is None:
        return None
    return base64.b64decode(part["base64"]) if isinstance(part, dict) else part.encode()


def structured(event: Any) -> bytes:
    """The value of a structured record."""
    return json.dumps(event).encode()
