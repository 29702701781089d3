"""How two definitions differ, for people: their YAML, line by line."""

import difflib

from cadence_engine.definitions.writing import write
from cadence_engine.domain.cadence import Definition

CONTEXT_LINES = 3


def difference(old: Definition | None, new: Definition, *, old_name: str, new_name: str) -> list[str]:
    """Unified diff of what both mean, however they were written; `old` None: all of `new` is added. Empty: the same."""
    before = write(old).splitlines() if old else []
    return list(difflib.unified_diff(before, write(new).splitlines(), old_name, new_name, lineterm="", n=CONTEXT_LINES))
