"""A span of each request, which continues the caller's trace."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from opentelemetry.trace import SpanKind

from cadence_engine.tracing import contexts, spans


@web.middleware
async def traced(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Around all else, so that every line of the log names it. It tells the route, and not what stands in its place."""
    if not spans.wanted():
        return await handler(request)
    method, route = method_of(request), route_of(request)
    name = method if route is None else f"{method} {route}"
    with spans.within(name, SpanKind.SERVER, parent=contexts.of_request(request.headers)) as told:
        response = await handler(request)
        told.answered(method, route, response.status)
    return response


def method_of(request: web.Request) -> str:
    """As it may be told: `?` for what is none."""
    return request.method if request.method.isalpha() else "?"


def route_of(request: web.Request) -> str | None:
    """The path as it is declared; None where there is none."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else None
