"""Enrolling any number of contacts: rows come in and answers go out as they are made."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from pydantic import Field

from cadence_engine.api.call import Call
from cadence_engine.api.idempotency import Idempotent
from cadence_engine.api.operation import Operations, Streamed, Upload
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import CadencePath, Told
from cadence_engine.domain.api_key import Scope
from cadence_engine.handlers.enroll_asked import UnknownCadence
from cadence_engine.handlers.enroll_many import (
    ROWS_AT_ONCE,
    EnrollMany,
    RowOutcome,
    RowResult,
    enroll_page,
)
from cadence_engine.handlers.enroll_rows import AnyRow, BadHeader, Format, RowReader
from cadence_engine.handlers.idempotency import KeyUsedForAnother

operations = Operations("Enroll many", "Hundreds of thousands of contacts in one call, each with an answer of its own.")

NDJSON, CSV = "application/x-ndjson", "text/csv"
FORMATS = {NDJSON: Format.NDJSON, CSV: Format.CSV}


class RowTold(Told):
    """A line of the answer. `reason` is a code, `detail` a sentence: of what was refused or invalid."""

    row: int = Field(description="the number of its line, from 1")
    contact_id: str | None = None
    outcome: RowOutcome
    enrollment_id: UUID | None = None
    reason: str | None = None
    detail: str | None = None


@operations.add(
    "POST",
    "/v1/cadences/{key}/enrollments",
    scope=Scope.OPERATE,
    answers={200: RowTold},
    refusals=[Code.CADENCE_NOT_FOUND, Code.IDEMPOTENCY_KEY_USED, Code.INVALID_CSV],
    upload={
        NDJSON: "A row a line: {contactId, leadId, conversationId, context}; all but the first may be left out.",
        CSV: "The first line names the columns: contactId, and perhaps leadId, conversationId, context.NAME.",
    },
    stream=NDJSON,
)
async def enroll_many(call: Call, path: CadencePath, headers: Idempotent, upload: Upload) -> Streamed:
    """Put many contacts in a cadence; an answer for each row, as NDJSON in the order of the rows.

    Both ways are streams: send on while you read. Should it fail in the middle, the last line is problem details, and
    what was answered before is done; send the same rows again under the same key to go on.
    """
    request = EnrollMany(call.company_id, path.key, headers.idempotency_key, call.actor)
    pages = _pages(upload, RowReader(FORMATS[upload.media_type]))
    first = await anext(pages, ())
    # Before the first byte of the answer: what stands against all rows is told by its status.
    answered = await _enroll(call, request, first)

    async def answers() -> AsyncIterator[bytes]:
        yield _lines(answered)
        async for page in pages:
            yield _lines(await _enroll(call, request, page))

    return Streamed(answers(), NDJSON)


async def _enroll(call: Call, request: EnrollMany, page: Sequence[AnyRow]) -> Sequence[RowResult]:
    outcome = await call.run(lambda unit: enroll_page(unit, request, page, call.engine.policy))
    match outcome:
        case UnknownCadence():
            raise Problem(Code.CADENCE_NOT_FOUND)
        case KeyUsedForAnother():
            raise Problem(Code.IDEMPOTENCY_KEY_USED)
    return outcome


async def _pages(upload: Upload, reader: RowReader) -> AsyncIterator[Sequence[AnyRow]]:
    waiting: list[AnyRow] = []
    try:
        async for piece in upload.pieces:
            for row in reader.feed(piece):
                waiting.append(row)
                if len(waiting) == ROWS_AT_ONCE:
                    yield waiting
                    waiting = []
        waiting += reader.end()
    except BadHeader as bad:
        raise Problem(Code.INVALID_CSV, str(bad)) from None
    if waiting:
        yield waiting


def _lines(results: Sequence[RowResult]) -> bytes:
    told = (RowTold.model_validate(each) for each in results)
    return b"".join(each.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n" for each in told)
