"""Logs: one JSON object a line on stdout, each with a stable `action`, and nobody's personal data or password in it.

A line that is written within a span names it by `trace_id` and `span_id`.

Our own lines and those of the libraries (aiokafka, faststream, arq, asyncpg) take the same road.
"""

import json
import logging
import re
import sys
from asyncio import AbstractEventLoop
from collections.abc import Iterator, Mapping
from traceback import format_tb
from typing import Any

import asyncpg
import orjson
import structlog
from opentelemetry.trace import format_span_id, format_trace_id, get_current_span
from pydantic import ValidationError
from structlog.typing import EventDict, WrappedLogger

from cadence_engine.links.advice import advice_on

OURS = "cadence_engine"
LIBRARY_ACTION = "library_message"
PASSWORD_IN_URL = re.compile(r"(?<=://)[^/@\s]+(?=@)")
DATA_EXCEPTION = "22"  # the SQLSTATE class whose messages quote the value that was refused
CHAIN_AT_MOST = 10

with_extra = structlog.stdlib.ExtraAdder()


def configure(process: str, level: str = "info", *, readable: bool = False) -> None:
    """Send every log line of this process to stdout, from `level` up.

    Libraries speak from "warning" up, unless `level` is "debug". `readable` asks for coloured text instead of JSON,
    which is given only where stdout is a terminal.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _add_process(process),
        _add_span,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_tell_origin, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _explain_error,
                *(_readable() if readable and sys.stdout.isatty() else _json()),
            ],
        )
    )
    handler.addFilter(_without_values)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel("INFO" if level == "debug" else "WARNING")
    logging.getLogger(OURS).setLevel(level.upper())
    logging.captureWarnings(capture=True)


def log_loop_errors(loop: AbstractEventLoop) -> None:
    """Log what a task raised when nobody awaits it; asyncio's own line would quote the error's values."""
    log = structlog.stdlib.get_logger(f"{OURS}.asyncio")

    def handle(_: AbstractEventLoop, context: dict[str, Any]) -> None:
        log.error("task_failed", message=context["message"], exc_info=context.get("exception"))

    loop.set_exception_handler(handle)


def describe(error: BaseException) -> str:
    """The error's type, as much of its message as cannot quote a value that somebody sent or stored, and what to do."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    message = PASSWORD_IN_URL.sub("***", "; ".join(part for part in (_message(error), *advice_on(error)) if part))
    return f"{name}: {message}" if message else name


def _message(error: BaseException) -> str:
    match error:
        case ValidationError():
            problems = error.errors(include_url=False, include_context=False, include_input=False)
            return f"{error.title}: " + "; ".join(
                f"{'.'.join(str(part) for part in problem['loc'])}: {problem['type']}" for problem in problems
            )
        case asyncpg.PostgresError():
            return _postgres_message(error)
        case ValueError() | LookupError() if type(error).__module__ == "builtins":
            return ""  # int(), KeyError and their like quote what they were given
        case _ if type(error).__module__.startswith("sqlalchemy."):
            return ""  # quotes parameters and rows; what it came of is asyncpg's and follows
        case _:
            return str(error)


def _postgres_message(error: asyncpg.PostgresError) -> str:
    """Never `detail`, where the server quotes whole rows."""
    sqlstate = str(error.sqlstate or "")
    said = "" if sqlstate.startswith(DATA_EXCEPTION) else str(error.args[0] if error.args else "")
    where = [
        f"{name} {getattr(error, f'{name}_name', None)}"
        for name in ("table", "column", "constraint")
        if getattr(error, f"{name}_name", None)
    ]
    return " ".join(part for part in (said, f"[{', '.join([sqlstate, *where])}]" if sqlstate else "") if part)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, then what it came of; the members of a group in their order."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting and len(seen) < CHAIN_AT_MOST:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(current.exceptions)
        origin = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        if origin is not None:
            waiting.append(origin)


def _explain_error(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by `error` and `traceback`."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["error"] = describe(error)
        event["traceback"] = "came of\n".join(
            f"{describe(link)}\n{''.join(format_tb(link.__traceback__))}" for link in _chain(error)
        )
    return event


def _without_values(record: logging.LogRecord) -> bool:
    """Libraries format errors into their texts: put the described error in its place."""
    if isinstance(record.args, tuple):
        record.args = tuple(describe(arg) if isinstance(arg, BaseException) else arg for arg in record.args)
    elif isinstance(record.args, Mapping):
        record.args = {
            key: describe(arg) if isinstance(arg, BaseException) else arg for key, arg in record.args.items()
        }
    return True


def _add_process(process: str) -> structlog.typing.Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return add


def _add_span(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    context = get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"], event["span_id"] = format_trace_id(context.trace_id), format_span_id(context.span_id)
    return event


def _tell_origin(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Our own layers below this one log by the standard library: the message is their action, `extra` its fields."""
    record = event["_record"]
    if record.name.startswith(OURS):
        return with_extra(_, __, event)
    event["logger"] = record.name
    event["message"] = PASSWORD_IN_URL.sub("***", str(event["event"]))
    event["event"] = LIBRARY_ACTION
    return event


def _json() -> list[structlog.typing.Processor]:
    order = ["time", "level", "process", "action"]

    def arrange(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["action"] = event.pop("event")
        return {name: event.pop(name) for name in order} | dict(event)

    return [arrange, structlog.processors.JSONRenderer(serializer=_to_json)]


def _to_json(event: EventDict, **_: object) -> str:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # such as an integer beyond 64 bits: rare, but the line must not be lost
        return json.dumps(event, default=str, skipkeys=True)


def _readable() -> list[structlog.typing.Processor]:
    def on_one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.pop("traceback", None)
        return event

    return [on_one_line, structlog.dev.ConsoleRenderer(pad_event_to=24)]
