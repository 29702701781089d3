"""From a request to its answer: who calls, may they, what do they ask, what does the engine say."""

import uuid
from collections.abc import Awaitable, Callable
from time import monotonic

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from cadence_engine.api import requests
from cadence_engine.api.call import Call, Engine
from cadence_engine.api.credentials import Credentials, demand
from cadence_engine.api.operation import Answer, Operation, Streamed
from cadence_engine.api.problems import CONTENT_TYPE, Code, Problem
from cadence_engine.api.rates import Rates
from cadence_engine.api.traced import method_of, route_of
from cadence_engine.metrics import answers as metrics
from cadence_engine.storage.connection import NOT_NOW
from cadence_engine.telemetry import describe

log = structlog.stdlib.get_logger("cadence_engine.api")

REQUEST_ID = "X-Request-ID"
CREDENTIAL = web.RequestKey("credential", str)
REQUEST_ID_OF = web.RequestKey("request_id", str)
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Server": "cadence-engine",
}
AGAIN_SOON = {"Retry-After": "1"}
OF_STATUS = {
    404: Code.NO_SUCH_ROUTE,
    405: Code.METHOD_NOT_ALLOWED,
    413: Code.TOO_LARGE,
}


def answering(operation: Operation, engine: Engine, credentials: Credentials, rates: Rates) -> Handler:
    """The handler for aiohttp's router."""

    async def answer(request: web.Request) -> web.StreamResponse:
        who: Call | Engine = engine
        if operation.scope is not None:
            principal = await credentials.principal(request.headers.get("Authorization"))
            request[CREDENTIAL] = principal.credential
            await rates.count(principal.credential)
            demand(principal, operation.scope)
            who = Call(principal, engine)
        answered = await operation.handler(who, **await requests.arguments(operation, request))
        return await _stream(answered, request) if isinstance(answered, Streamed) else _response(answered)

    return answer


async def _stream(answer: Streamed, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": answer.media_type})
    await response.prepare(request)
    try:
        async for piece in answer.pieces:
            await response.write(piece)
    except ConnectionError:  # whoever asked is gone: told by the status of the line in the log alone
        return response
    except Exception as error:  # noqa: BLE001  # the status is sent: what went wrong is said where the client looks next
        await response.write(problem_of(error, request[REQUEST_ID_OF]).told(request[REQUEST_ID_OF]) + b"\n")
    await response.write_eof()
    return response


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What every answer carries."""
    # aiohttp refuses an expectation that it does not know by itself, before `telling` has drawn an id.
    request_id = request.get(REQUEST_ID_OF) or str(uuid.uuid4())
    response.headers.update({**HEADERS, REQUEST_ID: request_id})


def _response(answer: Answer) -> web.Response:
    if answer.body is None:
        return web.Response(status=answer.status, headers=answer.headers)
    body = answer.body.model_dump_json(by_alias=True).encode()
    return web.Response(body=body, status=answer.status, headers=answer.headers, content_type=requests.JSON)


@web.middleware
async def telling(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer every failure as problem details, and log each request, without what it carried."""
    request_id = request[REQUEST_ID_OF] = str(uuid.uuid4())
    began = monotonic()
    try:
        response = await handler(request)
    except Exception as error:  # noqa: BLE001  # the last frame before the client, which must get an answer
        response = _told(problem_of(error, request_id), request_id)
    route = route_of(request)
    seconds = monotonic() - began
    metrics.answered(request.method, route, response.status, seconds)
    log.info(
        "request_answered",
        request_id=request_id,
        method=method_of(request),
        route=route,
        status=response.status,
        milliseconds=round(seconds * 1000, 1),
        credential=request.get(CREDENTIAL),
    )
    return response


def problem_of(error: Exception, request_id: str) -> Problem:
    """How a failure is told to the caller; what is no answer of ours is logged."""
    match error:
        case Problem():
            return error
        case web.HTTPException():
            return _of(error)
        case web.RequestPayloadError():  # as it came it cannot be unpacked or put together, or it ended too early
            return Problem(Code.BAD_HTTP, "the body is not what its headers say: see Content-Encoding and its length")
        case _ if isinstance(error, NOT_NOW):
            log.warning("request_unavailable", request_id=request_id, reason=describe(error))
            return Problem(Code.UNAVAILABLE, headers=AGAIN_SOON)
    log.error("request_failed", request_id=request_id, exc_info=error)
    return Problem(Code.INTERNAL_ERROR)


def _told(problem: Problem, request_id: str) -> web.Response:
    return web.Response(
        body=problem.told(request_id),
        status=problem.kind.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )


def _of(refusal: web.HTTPException) -> Problem:
    code = OF_STATUS.get(refusal.status, Code.BAD_HTTP)
    allow = {"Allow": refusal.headers["Allow"]} if "Allow" in refusal.headers else {}
    return Problem(code, headers=allow)
