"""Reading the rows of enroll-many from bytes, as they come: NDJSON or CSV, one row a line."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from pydantic_core import from_json

from cadence_contracts.enrolling import EnrollRow, read_row

MOST_LINE_BYTES: Final = 64 * 1024
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
COLUMNS: Final = ("contactId", "leadId", "conversationId")
CONTEXT: Final = "context."


class Format(StrEnum):
    """CSV: the first line names the columns, `contactId` and perhaps `leadId`, `conversationId`, `context.NAME`; an
    empty cell says nothing; no cell holds a line break.
    """

    NDJSON = "ndjson"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Row:
    """`number` is its line's, from 1; in CSV line 1 is the header."""

    number: int
    content: EnrollRow


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line that is no row: what is wrong with it, never what it holds."""

    number: int
    why: str


AnyRow = Row | Unreadable


class BadHeader(ValueError):  # noqa: N818  # it is a finding about the file, not a fault of the program
    """The first line of the CSV does not name columns that are known: nothing can be read."""


class RowReader:
    """Feed it pieces of any size, in their order; empty lines are passed over, but counted."""

    def __init__(self, format_: Format) -> None:
        self._columns: Columns | None = None
        self._format = format_
        self._number = 0
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[AnyRow]:
        """The rows that end within it. Raises BadHeader."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            yield from self._line(line)
        # One that is too long is refused whatever follows: so much of it is enough to know.
        self._rest = self._rest[: MOST_LINE_BYTES + 2]

    def end(self) -> Iterator[AnyRow]:
        """The last row, where no line break ends it. Raises BadHeader."""
        if self._rest or (self._format is Format.CSV and self._columns is None):
            yield from self._line(self._rest)
        self._rest = b""

    def _line(self, line: bytes) -> Iterator[AnyRow]:
        self._number += 1
        if self._number == 1:
            line = line.removeprefix(BYTE_ORDER_MARK)
        line = line.removesuffix(b"\r")
        if self._format is Format.CSV and self._columns is None:
            self._columns = Columns(line)
        elif line.strip():
            yield self._read(line)

    def _read(self, line: bytes) -> AnyRow:
        try:
            if len(line) > MOST_LINE_BYTES:
                raise ValueError(f"the line is longer than {MOST_LINE_BYTES} bytes")
            return Row(self._number, read_row(_from_json(line) if self._columns is None else self._columns.read(line)))
        except ValueError as wrong:
            return Unreadable(self._number, str(wrong))


class Columns:
    """What the header of a CSV says. Raises BadHeader."""

    def __init__(self, header: bytes) -> None:
        try:
            text = header.decode()
            # Spreadsheets write semicolons where the comma is the decimal sign.
            self._delimiter = ";" if ";" in text and "," not in text else ","
            self._names = [name.strip() for name in self._cells(text)]
        except ValueError as wrong:
            raise BadHeader(f"line 1: {wrong}") from None
        unknown = [n for n in self._names if n not in COLUMNS and n.removeprefix(CONTEXT) in ("", n)]
        if unknown or "contactId" not in self._names or len(set(self._names)) < len(self._names):
            raise BadHeader(
                "line 1 must name each column once: contactId, and where there are such leadId, conversationId, "
                f"{CONTEXT}NAME" + (f"; column {self._names.index(unknown[0]) + 1} is none of them" if unknown else "")
            )

    def read(self, line: bytes) -> dict[str, Any]:
        """The row as JSON would say it."""
        cells = self._cells(_decoded(line))
        if len(cells) != len(self._names):
            raise ValueError(f"the line has {len(cells)} cells, the header has {len(self._names)}")
        told = {name: cell for name, cell in zip(self._names, cells, strict=True) if cell}
        context = {name.removeprefix(CONTEXT): cell for name, cell in told.items() if name.startswith(CONTEXT)}
        return {name: cell for name, cell in told.items() if not name.startswith(CONTEXT)} | {"context": context}

    def _cells(self, text: str) -> Sequence[str]:
        try:
            return next(csv.reader([text], delimiter=self._delimiter, strict=True), [])
        except csv.Error:
            raise ValueError("the line's quotes do not close: a cell may not hold a line break") from None


def _from_json(line: bytes) -> Any:
    try:
        return from_json(line, allow_inf_nan=False)
    except ValueError:
        raise ValueError("the line must be one JSON object in UTF-8") from None


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise ValueError("the line must be UTF-8") from None
