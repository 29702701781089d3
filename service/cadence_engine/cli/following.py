"""Lists that go on where the one before ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from cadence_engine.cli import output
from cadence_engine.storage.cursor import BadCursor

MOST_ROWS = 1000

Rows = Annotated[int, typer.Option("--rows", min=1, max=MOST_ROWS, help="At most so many.")]
Cursor = Annotated[
    str | None,
    typer.Option("--cursor", metavar="CURSOR", help="Behind the last list, as that names it; all else as it was."),
]


@contextmanager
def following() -> Iterator[None]:
    """What is asked here starts at an operator's cursor: refuses one that was not given for it."""
    try:
        yield
    except BadCursor as bad:
        output.refuse(str(bad))


def say_more(cursor: str | None) -> None:
    """Where the list goes on, if it does."""
    if cursor is not None:
        output.warn(f"There may be more: --cursor {cursor}")
