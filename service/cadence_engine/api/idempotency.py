"""The header by which a call that is sent again is known."""

from typing import Annotated

from pydantic import Field

from cadence_contracts.fields import ID_PATTERN
from cadence_engine.api.wire import Asked

HEADER = "Idempotency-Key"
REMEMBERED = "nothing happens twice; also after an interruption. Remembered for 7 days after its last use."
Key = Annotated[str, Field(min_length=1, max_length=200, pattern=ID_PATTERN)]


class Idempotent(Asked):
    """Of a call with rows."""

    idempotency_key: Key = Field(
        alias=HEADER,
        description=f"Yours, new for each set of rows. Sent again with it, each row is answered as it was, and "
        f"{REMEMBERED}",
    )


class MaybeIdempotent(Asked):
    """Of a call in batches."""

    idempotency_key: Key | None = Field(
        None,
        alias=HEADER,
        description=f"Yours, new for each choice. Sent again with it, each batch is answered as it was, and "
        f"{REMEMBERED}",
    )
