"""Rules between the keys of a definition, asked of what was written, so that they are told beside all other errors."""

from collections.abc import Iterator
from typing import Any

from cadence_engine.definitions.problems import Path


def broken_rules(content: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Where a rule is broken, and which. Whatever has the wrong shape is left to the shape's own errors."""
    steps = content.get("steps")
    first_of: dict[str, int] = {}
    for index, step in enumerate(steps if isinstance(steps, list) else []):
        if not isinstance(step, dict):
            continue
        yield from _wait_of(step, ("steps", index))
        key = step.get("key")
        if isinstance(key, str) and first_of.setdefault(key, index) != index:
            yield ("steps", index, "key"), f"`{key[:60]}` is the key of steps[{first_of[key]}] too: each has its own"
    yield from _tags(content.get("onCompletion"))


def _wait_of(step: dict[str, Any], path: Path) -> Iterator[tuple[Path, str]]:
    match [name for name in ("wait", "offsetDays") if step.get(name) is not None]:
        case []:
            yield path, "needs `wait`, such as P1D or PT0S (or `offsetDays`, in whole days)"
        case [_, _]:
            yield (*path, "offsetDays"), "either `wait` or `offsetDays`, not both"


def _tags(completion: object) -> Iterator[tuple[Path, str]]:
    tags = completion.get("addTags") if isinstance(completion, dict) else None
    seen: set[str] = set()
    for index, tag in enumerate(tags if isinstance(tags, list) else []):
        if isinstance(tag, str) and tag in seen:
            yield ("onCompletion", "addTags", index), f"`{tag[:60]}` is listed twice"
        elif isinstance(tag, str):
            seen.add(tag)
