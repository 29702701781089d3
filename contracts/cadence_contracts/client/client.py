"""The client: what is generated, and enrolling as a stream both ways."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import Any, Final

from aiohttp import ClientError, ClientResponse, ClientTimeout
from pydantic import Field
from pydantic_core import from_json

from cadence_contracts.client.errors import ProblemError
from cadence_contracts.client.models import ProblemDetails, RowTold
from cadence_contracts.client.operations import Operations
from cadence_contracts.client.transport import CONNECT, part
from cadence_contracts.client.wire import Asked

NDJSON: Final = "application/x-ndjson"
ENDLESS: Final = ClientTimeout(total=None, sock_connect=CONNECT)
PIECE: Final = 32 * 1024


class EnrollRow(Asked):
    """One contact of enroll many."""

    contact_id: str
    lead_id: str | None = None
    conversation_id: str | None = None
    context: dict[str, bool | int | float | str] = Field(default_factory=dict)


class CadenceClient(Operations):
    """The management API of one company, that of the credential.

    Each method is one call and raises `ProblemError` for the engine's refusal, `UnexpectedAnswerError` for an answer of
    something before it, `aiohttp.ClientError` and `TimeoutError` when there is none. Calls may be repeated.
    """

    async def enroll_many(
        self, key: str, rows: Iterable[EnrollRow] | AsyncIterable[EnrollRow], *, idempotency_key: str
    ) -> AsyncGenerator[RowTold, None]:
        """Put any number of contacts in a cadence; an answer for each row, in their order, while rows are still sent.

        What making `rows` raises is raised here, and of them no more is held than what is on the way. It is one call
        without a time limit: whoever stops before the end closes it (`contextlib.aclosing`). After an error send all
        rows again under the same key: what was answered is answered as it was.
        """
        sending = _Sending(rows)
        try:
            async with self._answer(
                "POST",
                f"/v1/cadences/{part(key)}/enrollments",
                (200,),
                headers={"Idempotency-Key": idempotency_key, "Content-Type": NDJSON},
                body=sending.lines(),
                timeout=ENDLESS,
            ) as response:
                sending.answered(response)
                async for line in response.content:
                    yield _row(line)
        except ClientError:
            if sending.failure is not None:
                raise sending.failure from None
            raise


class _Sending:
    """Rows on their way. Should making them fail, the answer is cut off: aiohttp would wait for its rest."""

    def __init__(self, rows: Iterable[EnrollRow] | AsyncIterable[EnrollRow]) -> None:
        self._rows = rows
        self._answer: ClientResponse | None = None
        self.failure: Exception | None = None

    def answered(self, answer: ClientResponse) -> None:
        """The answer has begun."""
        self._answer = answer
        if self.failure is not None:
            raise self.failure

    async def lines(self) -> AsyncIterator[bytes]:
        waiting = bytearray()
        try:
            async for row in _each(self._rows):
                waiting += row.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
                if len(waiting) >= PIECE:
                    yield bytes(waiting)
                    waiting.clear()
        except Exception as failure:
            self.failure = failure
            if self._answer is not None:
                self._answer.close()
            raise
        if waiting:
            yield bytes(waiting)


async def _each(rows: Iterable[EnrollRow] | AsyncIterable[EnrollRow]) -> AsyncIterator[EnrollRow]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row


def _row(line: bytes) -> RowTold:
    told: dict[str, Any] = from_json(line)
    if "row" not in told:  # what failed after the first answer is told as the last line
        raise ProblemError(ProblemDetails.model_validate(told))
    return RowTold.model_validate(told)
