"""Going on behind a page or a batch, where a caller says it ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import asyncpg
from pydantic import Field

from cadence_engine.api.call import Call
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked
from cadence_engine.storage.cursor import BadCursor

CURSOR = r"^[A-Za-z0-9_-]{1,2000}$"
FurtherPage = Annotated[
    str | None,
    Field(pattern=CURSOR, description="`next` of the page before; everything else as it was, but for `limit`"),
]
NextPage = Annotated[str | None, Field(description="`cursor` of the page behind it; null: there is none")]
NextBatch = Annotated[str | None, Field(description="`cursor` of the next batch; null: that was the last one")]


class InBatches(Asked):
    """A body that is sent again and again, each time with where the batch before ended."""

    cursor: Annotated[
        str | None, Field(pattern=CURSOR, description="`next` of the batch before; everything else as it was")
    ] = None

    def given_for(self, call: Call, *path: str) -> object:
        """What `next` of the answer is given for, and counts for alone."""
        return [call.company_id, type(self).__name__, *path, self.model_dump(exclude={"cursor"})]


@contextmanager
def following(given: str | None) -> Iterator[None]:
    """What is asked here starts at `given`, the caller's cursor: Problem where that cannot be one of ours."""
    try:
        yield
    except BadCursor as bad:
        raise Problem(Code.BAD_CURSOR, str(bad)) from None
    except asyncpg.DataError:
        if given is None:
            raise
        raise Problem(Code.BAD_CURSOR) from None  # one that was made up
