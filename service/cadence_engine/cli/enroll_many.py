"""Enrolling from a file: rows in, an answer for each out, at any size."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO, assert_never
from uuid import uuid4

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cadence_engine.cli import output, session
from cadence_engine.cli.cadences import unknown
from cadence_engine.cli.definitions import STDIN
from cadence_engine.cli.idempotency import key_used
from cadence_engine.cli.output import Refused
from cadence_engine.cli.session import Actor, Company, Key, Session, external_id
from cadence_engine.handlers.enroll_asked import UnknownCadence
from cadence_engine.handlers.enroll_many import (
    ROWS_AT_ONCE,
    EnrollMany,
    RowResult,
    enroll_page,
)
from cadence_engine.handlers.enroll_rows import AnyRow, BadHeader, Format, RowReader
from cadence_engine.handlers.idempotency import KeyUsedForAnother
from cadence_engine.storage.database import UnitOfWork

PIECE = 64 * 1024


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command("enroll-many")(enroll_many)


def enroll_many(
    key: Key,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Rows, or - for stdin.")],
    company: Company,
    actor: Actor,
    *,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            help="The same with the same file goes on where it was interrupted, and answers the same.",
            callback=external_id,
        ),
    ] = None,
    format_: Annotated[
        Format | None, typer.Option("--format", help="By the file's name, if not said: .csv, else NDJSON.")
    ] = None,
) -> None:
    """Put many contacts in a cadence; an answer for each row on stdout, as NDJSON in the order of the rows.

    A row is a line of JSON, {"contactId": "..", "leadId": "..", "conversationId": "..", "context": {"product": ".."}},
    all but the first optional; or of CSV with the columns contactId, leadId, conversationId, context.NAME.
    Outcomes: created, already_active, refused and invalid, with the reason. The exit code is 0 if all were answered.
    """
    if idempotency_key is None:
        idempotency_key = uuid4().hex
        output.warn(f"If this is interrupted, go on with: --idempotency-key {idempotency_key}")
    request = EnrollMany(company, key, idempotency_key, actor)
    counts: Counter[str] = Counter()

    async def main(opened: Session) -> None:
        with _opened(file) as content, _bar(content) as advance:
            reader = RowReader(format_ or (Format.CSV if file.lower().endswith(".csv") else Format.NDJSON))
            for page in _pages(_rows(content, reader)):

                async def work(
                    unit: UnitOfWork, page: Sequence[AnyRow] = page
                ) -> list[RowResult] | UnknownCadence | KeyUsedForAnother:
                    return await enroll_page(unit, request, page, opened.policy)

                answered = await opened.run(work)
                match answered:
                    case UnknownCadence(known):
                        raise unknown(known, company, key)
                    case KeyUsedForAnother():
                        raise key_used(idempotency_key)
                    case list():
                        counts.update(_counted(each) for each in answered)
                        _answer(answered)
                    case _:
                        assert_never(answered)
                advance()

    try:
        session.run(main)
    finally:
        if counts:
            told = ", ".join(f"{amount} {what}" for what, amount in sorted(counts.items()))
            output.warn(f"{counts.total()} rows: {told}")


@dataclass(frozen=True, slots=True)
class _Opened:
    file: BinaryIO
    size: int | None


@contextmanager
def _opened(name: str) -> Iterator[_Opened]:
    if name == STDIN:
        yield _Opened(sys.stdin.buffer, None)
        return
    try:
        with Path(name).open("rb") as file:
            yield _Opened(file, Path(name).stat().st_size)
    except FileNotFoundError:
        raise Refused(f"{name}: no such file") from None
    except IsADirectoryError:
        raise Refused(f"{name}: a directory, not a file") from None


def _rows(opened: _Opened, reader: RowReader) -> Iterator[AnyRow]:
    try:
        while piece := opened.file.read(PIECE):
            yield from reader.feed(piece)
        yield from reader.end()
    except BadHeader as bad:
        raise Refused(f"{bad}. Nothing was enrolled") from None
    except OSError as error:
        raise Refused(f"the rows cannot be read on: {error.strerror}") from None


def _pages(rows: Iterator[AnyRow]) -> Iterator[Sequence[AnyRow]]:
    while page := list(islice(rows, ROWS_AT_ONCE)):
        yield page


def _answer(results: Iterable[RowResult]) -> None:
    try:
        typer.echo(b"".join(orjson.dumps(_wire(each), option=orjson.OPT_APPEND_NEWLINE) for each in results), nl=False)
    except BrokenPipeError:
        raise Refused("nobody reads the answers any more; the same idempotency key gives them again") from None


def _wire(result: RowResult) -> dict[str, object]:
    told = {
        "row": result.row,
        "contactId": result.contact_id,
        "outcome": result.outcome,
        "enrollmentId": result.enrollment_id and str(result.enrollment_id),
        "reason": result.reason,
        "detail": result.detail,
    }
    return {name: value for name, value in told.items() if value is not None}


def _counted(result: RowResult) -> str:
    return f"{result.outcome} ({result.reason})" if result.reason else result.outcome.value


@contextmanager
def _bar(opened: _Opened) -> Iterator[Callable[[], None]]:
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    hidden = opened.size is None or not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as bar:
        task = bar.add_task("enrolling", total=opened.size)
        yield lambda: None if hidden else bar.update(task, completed=opened.file.tell())
