"""A call over HTTP: models out, models or errors in."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar
from urllib.parse import quote

from aiohttp import ClientResponse, ClientSession, ClientTimeout
from pydantic import BaseModel
from yarl import URL

from cadence_contracts.client.errors import ProblemError, UnexpectedAnswerError
from cadence_contracts.client.models import ProblemDetails
from cadence_contracts.client.wire import Tagged

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROBLEM: Final = "application/problem+json"
CONNECT: Final = 10.0

Answered = TypeVar("Answered", bound=BaseModel)
Asking = TypeVar("Asking", bound=BaseModel)
Batch = TypeVar("Batch", bound="InBatches")


class InBatches(Protocol):
    """The answer of a batch."""

    @property
    def next(self) -> str | None: ...


class Transport:
    """Holds the session, so that connections are kept while its context lasts."""

    def __init__(self, url: str, key: str | None, *, timeout: float = 60.0) -> None:
        """`url` of the API without `/v1`; `key`: an API key or a token of the deployment's issuer; `timeout` of a call
        in seconds, which the stream of enroll many does not have."""
        self._url = url.rstrip("/")
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._timeout = ClientTimeout(total=timeout, sock_connect=CONNECT)
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = ClientSession(headers=self._headers, timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask(
        self,
        method: str,
        path: str,
        answer: type[Answered],
        *,
        statuses: tuple[int, ...] = (200, 201),
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: BaseModel | str | None = None,
    ) -> Answered:
        async with self._answer(method, path, statuses, query, headers, body) as response:
            told = answer.model_validate_json(await response.read())
        if isinstance(told, Tagged):
            told.tagged(response.headers.get("ETag", ""))
        return told

    async def _tell(self, method: str, path: str, *, headers: Mapping[str, str | None] | None = None) -> None:
        async with self._answer(method, path, (204,), headers=headers):
            pass

    async def _batches(self, ask: Callable[[Asking], Awaitable[Batch]], body: Asking) -> AsyncIterator[Batch]:
        """One call after the other, each from where the one before ended."""
        while True:
            told = await ask(body)
            yield told
            if told.next is None:
                return
            body = body.model_copy(update={"cursor": told.next})

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        statuses: tuple[int, ...],
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: BaseModel | str | AsyncIterable[bytes] | None = None,
        *,
        timeout: ClientTimeout | None = None,
    ) -> AsyncIterator[ClientResponse]:
        """The answer, with one of `statuses`. Raises ProblemError, UnexpectedAnswerError, aiohttp.ClientError."""
        if self._session is None:
            raise RuntimeError("the client is not open; use it as `async with CadenceClient(..) as client:`")
        sent = {name: value for name, value in (headers or {}).items() if value is not None}
        if isinstance(body, BaseModel):
            body = body.model_dump_json(by_alias=True, exclude_unset=True)
            sent.setdefault("Content-Type", JSON)
        elif isinstance(body, str):
            sent.setdefault("Content-Type", YAML)
        async with self._session.request(
            method,
            URL(self._url + path, encoded=True),
            params=_parameters(query or {}),
            headers=sent,
            data=body,
            timeout=timeout or self._timeout,
        ) as response:
            if response.content_type == PROBLEM:
                problem = ProblemDetails.model_validate_json(await response.read())
                raise ProblemError(problem, _seconds(response.headers.get("Retry-After")))
            if response.status not in statuses:
                raise UnexpectedAnswerError(response.status, response.content_type)
            yield response


def part(value: object) -> str:
    """A part of a path, whatever characters it has."""
    return quote(str(value), safe="")


def _parameters(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, _text(each))
        for name, value in query.items()
        if value is not None
        for each in (value if isinstance(value, list | tuple) else (value,))
    ]


def _text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
    return str(value)


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isdecimal() else None
