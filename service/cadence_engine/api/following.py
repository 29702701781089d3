"""Going on behind a page or a batch, where a caller says it ended."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from cadence_engine.api.problems import Code, Problem
from cadence_engine.storage.enrollments.cursor import BadCursor


@contextmanager
def following(given: object | None) -> Iterator[None]:
    """What is asked here starts at `given`, the caller's cursor: Problem where that cannot be one of ours."""
    try:
        yield
    except BadCursor as bad:
        raise Problem(Code.BAD_CURSOR, str(bad)) from None
    except asyncpg.DataError:
        if given is None:
            raise
        raise Problem(Code.BAD_CURSOR) from None  # one that was made up
