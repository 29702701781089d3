"""A method for each operation of the document, and iterators over what comes in pages and batches."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from cadence_contracts.client_code.types import Types, doc, python_name, referred

JSON: Final = "application/json"
YAML: Final = "application/yaml"
INDENT: Final = "        "
IMPORTS: Final = '''
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from cadence_contracts.client.models import ({models},)
from cadence_contracts.client.transport import Transport, part


class Operations(Transport):
    """Every operation, by its name in the document."""

'''


CURSOR: Final = "cursor"
"""What a page or a batch begins behind, and `next` of the one before."""


class Pages(NamedTuple):
    """How an operation's pages are gone through by the method `name`."""

    name: str
    of: str
    newest_first: bool = False
    """A page goes from old to new, and the pages back in time: what is in one is told from its end."""


PAGED: Final = {
    "list_enrollments": Pages("each_enrollment", "enrollments"),
    "list_dead_letters": Pages("each_dead_letter", "letters"),
    "why_about_contact": Pages("timeline_of_contact", "timeline", newest_first=True),
    "why_about_enrollment": Pages("timeline_of_enrollment", "timeline", newest_first=True),
}
BATCHED: Final = {
    "operate_on_chosen": "operate_on_all_chosen",
    "move_enrollments": "move_all_enrollments",
    "unpark_cadence": "unpark_all",
    "replay_letters": "replay_all_letters",
    "drop_letters": "drop_all_letters",
}
STREAMED: Final = frozenset({"enroll_many"})
"""Written by hand, in `cadence_contracts.client.client`."""


@dataclass(frozen=True, slots=True)
class Operation:
    """What a method is made of. `arguments`: place, wire name, name, and name with type and default."""

    name: str
    method: str
    path: str
    about: str
    arguments: tuple[tuple[str, str, str, str], ...]
    body: str | None
    answer: str | None
    statuses: tuple[int, ...]

    def of(self, place: str) -> list[tuple[str, str, str]]:
        return [(wire, name, typed) for where, wire, name, typed in self.arguments if where == place]

    def signature(self, *, without: str = "") -> str:
        positional = [typed for _, _, typed in self.of("path")] + ([self.body] if self.body else [])
        named = [typed for wire, _, typed in (*self.of("query"), *self.of("header")) if wire != without]
        return ", ".join(["self", *positional, *(["*", *named] if named else [])])


def code(document: Mapping[str, Any]) -> str:
    """The module."""
    types = Types(document)
    methods = [
        text
        for path, described in document["paths"].items()
        for method, operation in described.items()
        if operation["operationId"] not in STREAMED
        for text in _methods(_read(method, path, operation, types), types)
    ]
    body = "\n".join(methods)
    names = sorted(name for name in types.schemas if re.search(rf"\b{name}\b", body))
    return IMPORTS.format(models=", ".join(names)) + body


def _read(method: str, path: str, operation: Mapping[str, Any], types: Types) -> Operation:
    answers = {
        int(status): response["content"][JSON]["schema"] if "content" in response else None
        for status, response in operation["responses"].items()
        if "content" not in response or JSON in response["content"]
    }
    models = {referred(schema) if schema else None for schema in answers.values()}
    if len(models) != 1:
        raise ValueError(f"{operation['operationId']}: a method answers one model, and here are {models}")
    return Operation(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        about=f"{operation['summary']}\n\n{operation.get('description', '')}",
        arguments=tuple(_argument(each, types) for each in operation.get("parameters", [])),
        body=_body(operation.get("requestBody"), operation["operationId"]),
        answer=models.pop(),
        statuses=tuple(sorted(answers)),
    )


def _argument(parameter: Mapping[str, Any], types: Types) -> tuple[str, str, str, str]:
    wire, schema = parameter["name"], parameter["schema"]
    name, hint = python_name(wire), types.of(schema, asked=True)
    hint = hint.replace("AwareDatetime", "datetime").replace("list[", "Sequence[")
    optional = "" if parameter["required"] else " | None = None"
    return parameter["in"], wire, name, f"{name}: {hint}{optional}"


def _body(body: Mapping[str, Any] | None, operation: str) -> str | None:
    if body is None:
        return None
    if not set(body["content"]) <= {JSON, YAML}:
        raise ValueError(f"{operation}: no method is made for a body of {', '.join(body['content'])}")
    text = " | str" if YAML in body["content"] else ""
    return f"body: {referred(body['content'][JSON]['schema'])}{text}{'' if body['required'] else ' | None = None'}"


def _methods(operation: Operation, types: Types) -> Iterator[str]:
    yield _plain(operation)
    answered = types.schemas[operation.answer]["properties"] if operation.answer else {}
    if pages := PAGED.get(operation.name):
        yield _pages(operation, pages, types.of(answered[pages.of]["items"], asked=False))
    elif CURSOR in {wire for wire, _, _ in operation.of("query")}:
        raise ValueError(f"{operation.name} answers in pages: name its iterator in PAGED")
    if operation.name in BATCHED:
        yield _batches(operation, BATCHED[operation.name])
    elif operation.body and "next" in answered:
        raise ValueError(f"{operation.name} answers in batches: name its iterator in BATCHED")


def _plain(operation: Operation) -> str:
    path = re.sub(r"{(\w+)}", lambda found: f"{{part({python_name(found[1])})}}", operation.path)
    given = [repr(operation.method), f"f{path!r}" if "{" in path else repr(path)]
    given += [operation.answer] if operation.answer else []
    given += [f"statuses={operation.statuses}"] if operation.statuses[-1] >= 300 else []
    for place, keyword in (("query", "query"), ("header", "headers")):
        pairs = [f"{wire!r}: {name}" for wire, name, _ in operation.of(place)]
        given += [f"{keyword}={{{', '.join(pairs)}}}"] if pairs else []
    given += ["body=body"] if operation.body else []
    call = (
        f"return await self._ask({', '.join(given)})" if operation.answer else f"await self._tell({', '.join(given)})"
    )
    return (
        f"    async def {operation.name}({operation.signature()}) -> {operation.answer}:\n"
        f"{doc(operation.about, INDENT)}{INDENT}{call}\n"
    )


def _pages(operation: Operation, pages: Pages, item: str) -> str:
    given = [name for _, name, _ in operation.of("path")]
    given += [f"{name}={name}" for _, name, _ in operation.of("query")]
    told = f"Each of `{pages.of}` of `{operation.name}`, page after page; `limit` is a page's."
    items = f"page.{pages.of}"
    if pages.newest_first:
        told, items = f"{told} The newest comes first.", f"reversed({items})"
    return (
        f"    async def {pages.name}({operation.signature(without=CURSOR)}) -> AsyncIterator[{item}]:\n"
        + doc(told, INDENT)
        + f"{INDENT}{CURSOR}: str | None = None\n{INDENT}while True:\n"
        f"{INDENT}    page = await self.{operation.name}({', '.join(given)})\n"
        f"{INDENT}    for each in {items}:\n{INDENT}        yield each\n"
        f"{INDENT}    if page.next is None:\n{INDENT}        return\n"
        f"{INDENT}    {CURSOR} = page.next\n"
    )


def _batches(operation: Operation, name: str) -> str:
    given = [*(name for _, name, _ in operation.of("path")), "asked"]
    given += [f"{name}={name}" for place in ("query", "header") for _, name, _ in operation.of(place)]
    ask = f"self.{operation.name}" if given == ["asked"] else f"lambda asked: self.{operation.name}({', '.join(given)})"
    body = (operation.body or "").removesuffix(" | None = None")
    signature = replace(operation, body=body).signature()
    return (
        f"    async def {name}({signature}) -> AsyncIterator[{operation.answer}]:\n"
        + doc(f"`{operation.name}`, batch after batch until nothing is left: what came of each.", INDENT)
        + f"{INDENT}async for told in self._batches({ask}, body):\n{INDENT}    yield told\n"
    )
