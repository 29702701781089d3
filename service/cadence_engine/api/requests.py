"""Reading a request: each part checked by its model, all that is wrong with it told at once."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from cadence_engine.api.operation import Operation, Upload, field_names
from cadence_engine.api.problems import Code, Problem, Wrong, wrong

JSON = "application/json"
MOST_UPLOADED = 1024 * 1024 * 1024


async def arguments(operation: Operation, request: web.Request) -> dict[str, Any]:
    """What the operation's handler takes of the request. Raises Problem."""
    read: dict[str, Any] = {}
    found: list[Wrong] = []
    sources: dict[str, Mapping[str, Any]] = {}
    if "path" in operation.parts:
        sources["path"] = dict(request.match_info)
    if "query" in operation.parts:
        sources["query"] = _query(operation.parts["query"], request.query, found)
    elif request.query:
        found += [_unknown("query", name) for name in dict.fromkeys(request.query)]
    if "headers" in operation.parts:
        names = field_names(operation.parts["headers"])
        sources["headers"] = {name: request.headers[name] for name in names if name in request.headers}
    for part, given in sources.items():
        try:
            read[part] = operation.parts[part].model_validate(given)
        except ValidationError as invalid:
            place = "header" if part == "headers" else part
            found += wrong(place, invalid.errors(include_url=False, include_input=False))
    if found:
        raise Problem(Code.INVALID_REQUEST, errors=found)
    if "body" in operation.parts:
        read["body"] = await _json(operation.parts["body"], request)
    if operation.text is not None:
        read["text"] = await _text(operation.text.media_types, request)
    if operation.upload:
        read["upload"] = _upload(tuple(operation.upload), request)
    return read


def _upload(media_types: tuple[str, ...], request: web.Request) -> Upload:
    _expect(media_types, request)

    async def pieces() -> AsyncIterator[bytes]:
        received = 0
        async for piece in request.content.iter_any():
            received += len(piece)
            if received > MOST_UPLOADED:
                raise Problem(Code.TOO_LARGE, f"more than {MOST_UPLOADED} bytes")
            yield piece

    return Upload(request.content_type, pieces())


def _query(model: type[BaseModel], given: MultiMapping[str], found: list[Wrong]) -> dict[str, Any]:
    fields = field_names(model)
    read: dict[str, Any] = {}
    for name in dict.fromkeys(given):
        values = given.getall(name)
        if name not in fields:
            found.append(_unknown("query", name, allowed=", ".join(fields)))
        elif "list" in str(fields[name].annotation):
            read[name] = values
        elif len(values) > 1:
            found.append(Wrong(place="query", pointer=f"/{name}", detail="is given more than once"))
        else:
            read[name] = values[0]
    return read


def _unknown(place: str, name: str, allowed: str = "none") -> Wrong:
    shown = name[:60] if name.isprintable() else "?"
    return Wrong(place=place, pointer=f"/{shown}", detail=f"is no parameter here (allowed: {allowed})")


async def _json(model: type[BaseModel], request: web.Request) -> BaseModel:
    raw = await request.read()
    if not raw and not any(info.is_required() for info in model.model_fields.values()):
        return model()
    _expect((JSON,), request)
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False, include_input=False)
        if errors[0]["type"] == "json_invalid":
            raise Problem(Code.NOT_JSON, str(errors[0]["ctx"]["error"])) from None
        raise Problem(Code.INVALID_REQUEST, errors=wrong("body", errors)) from None


async def _text(media_types: tuple[str, ...], request: web.Request) -> str:
    """JSON is brought to a form that is YAML as well: of escaped halves of a character only JSON makes one."""
    _expect(media_types, request)
    raw = await request.read()
    try:
        if request.content_type == JSON:
            return orjson.dumps(orjson.loads(raw)).decode()
        return raw.decode("utf-8-sig")
    except orjson.JSONDecodeError as error:
        raise Problem(Code.NOT_JSON, str(error)) from None
    except orjson.JSONEncodeError:
        raise Problem(Code.NOT_JSON, "the document is nested too deeply") from None
    except UnicodeDecodeError:
        raise Problem(Code.NOT_JSON, "the body is not UTF-8") from None


def _expect(media_types: tuple[str, ...], request: web.Request) -> None:
    if request.content_type not in media_types or (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, f"Content-Type must be {' or '.join(media_types)}, in UTF-8")
