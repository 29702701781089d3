"""How commands speak: plain sentences on stdout, refusals on stderr, tables that also read well in a pipe."""

import sys
from collections.abc import Iterable
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cadence_engine.definitions.durations import write_elapsed
from cadence_engine.domain.enrollment import Enrollment

REFUSED = 1


class Refused(Exception):  # noqa: N818  # it is an answer, not a fault
    """The rule that stands against it, and what to do."""


def refuse(why: str) -> NoReturn:
    """End with exit code 1 and the reason on stderr."""
    typer.echo(why, err=True)
    raise typer.Exit(REFUSED)


def say(line: str) -> None:
    """One line on stdout."""
    typer.echo(line)


def warn(line: str) -> None:
    """One line on stderr."""
    typer.echo(line, err=True)


def as_json(answer: object) -> None:
    """One JSON document on stdout: times in RFC 3339, durations in ISO 8601, names as they are in Python."""
    typer.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z, default=_plain))


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Aligned columns; in a pipe as wide as they need to be, without borders or colour."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text("-" if cell is None else str(cell)) for cell in row))
    console().print(drawn)


def console() -> Console:
    """stdout; 200 columns where it is no terminal, so that nothing is folded there."""
    return Console(width=None if sys.stdout.isatty() else 200, highlight=False, soft_wrap=False)


def at(instant: datetime | None) -> str | None:
    """To the second, in UTC."""
    return None if instant is None else instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _plain(value: object) -> Any:
    if isinstance(value, UUID):  # asyncpg's own kind
        return str(value)
    if isinstance(value, timedelta):
        return write_elapsed(value)
    if isinstance(value, Enrollment):
        return value._asdict()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
