"""A route and all that is known of it: how it is reached, by whom, what it takes and what it answers.

The OpenAPI document is made of the same values as the router, so that neither can say what the other does not.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel

from cadence_engine.api.problems import Code
from cadence_engine.domain.api_key import Scope

Method = Literal["GET", "PUT", "PATCH", "POST", "DELETE"]
PARTS = ("path", "query", "headers", "body")
"""Parameters of a handler by name, each a model; beside them `text`, the body as it came, or `upload`."""

AUTHENTICATED = (
    Code.UNAUTHENTICATED,
    Code.CREDENTIAL_ENDED,
    Code.MISSING_SCOPE,
    Code.TOO_MANY_REQUESTS,
    Code.ISSUER_UNREACHABLE,
    Code.UNAVAILABLE,
)
WITH_PARTS = (Code.INVALID_REQUEST,)
WITH_BODY = (Code.NOT_JSON, Code.TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE)
ALWAYS = (Code.BAD_HTTP, Code.INTERNAL_ERROR)

Handler = TypeVar("Handler", bound=Callable[..., Awaitable["Answer | Streamed"]])


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answers; without a body only with 204."""

    body: BaseModel | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer that is made while it is sent. What fails after its first piece is told as its last line."""

    pieces: AsyncIterator[bytes]
    media_type: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A body of any size, as it comes."""

    media_type: str
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class TextBody:
    """A body that is handed to the handler as text, and described by `model`."""

    model: type[BaseModel]
    media_types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """`scope` None: for everybody, without a credential."""

    method: Method
    path: str
    handler: Callable[..., Awaitable[Answer | Streamed]]
    tag: str
    summary: str
    description: str
    scope: Scope | None
    answers: Mapping[int, type[BaseModel] | None]
    refusals: Sequence[Code]
    parts: Mapping[str, type[BaseModel]]
    text: TextBody | None
    upload: Mapping[str, str]
    """The media types of a body of any size, each with what it holds."""
    stream: str | None
    """The media type of an answer of any size."""
    answer_headers: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.handler.__name__.strip("_")

    @property
    def takes_body(self) -> bool:
        return "body" in self.parts or self.text is not None or bool(self.upload)

    @property
    def problems(self) -> tuple[Code, ...]:
        """Every code that it may answer with."""
        codes = [*self.refusals, *ALWAYS]
        codes += AUTHENTICATED if self.scope is not None else ()
        codes += WITH_PARTS if self.parts else ()
        codes += WITH_BODY if self.takes_body else ()
        return tuple(dict.fromkeys(codes))


class Operations:
    """The operations of one module, in the order in which they are written."""

    def __init__(self, tag: str, description: str) -> None:
        self.tag = tag
        self.description = description
        self._all: list[Operation] = []

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._all)

    def add(
        self,
        method: Method,
        path: str,
        *,
        scope: Scope | None,
        answers: Mapping[int, type[BaseModel] | None],
        refusals: Sequence[Code] = (),
        text: TextBody | None = None,
        upload: Mapping[str, str] | None = None,
        stream: str | None = None,
        answer_headers: Mapping[str, str] | None = None,
    ) -> Callable[[Handler], Handler]:
        """Decorates a handler, which takes a `Call` (an `Engine` without a scope) and parts of the request by name.

        The first line of its docstring is the summary, the rest the description.
        """

        def mount(handler: Handler) -> Handler:
            summary, _, description = (inspect.getdoc(handler) or "").partition("\n\n")
            hints = get_type_hints(handler)
            self._all.append(
                Operation(
                    method=method,
                    path=path,
                    handler=handler,
                    tag=self.tag,
                    summary=" ".join(summary.split()),
                    description=description,
                    scope=scope,
                    answers=answers,
                    refusals=refusals,
                    parts={part: hints[part] for part in PARTS if part in hints},
                    text=text,
                    upload=upload or {},
                    stream=stream,
                    answer_headers=answer_headers or {},
                )
            )
            return handler

        return mount


def field_names(model: type[BaseModel]) -> Mapping[str, Any]:
    """The fields of a model by the names they have on the wire."""
    return {info.alias or name: info for name, info in model.model_fields.items()}
