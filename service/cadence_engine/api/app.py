"""The application: every operation at its path, its document and its page."""

import orjson
from aiohttp import web

from cadence_engine.api import (
    cadence_status,
    cadences,
    company,
    contacts,
    dead_letters,
    drafts,
    enroll_many,
    enrollments,
    funnel,
    halts,
    health,
    moving,
    operating,
    simulation,
    unparking,
    why,
)
from cadence_engine.api.answering import add_headers, answering, telling
from cadence_engine.api.call import Engine
from cadence_engine.api.credentials import Credentials
from cadence_engine.api.docs import page
from cadence_engine.api.openapi import document
from cadence_engine.api.operation import Operations
from cadence_engine.api.rates import Rates
from cadence_engine.api.traced import traced

ALL: tuple[Operations, ...] = (
    cadences.operations,
    cadence_status.operations,
    drafts.operations,
    moving.operations,
    simulation.operations,
    funnel.operations,
    enrollments.operations,
    enroll_many.operations,
    operating.operations,
    unparking.operations,
    why.operations,
    contacts.operations,
    halts.operations,
    dead_letters.operations,
    company.operations,
    health.operations,
)
"""In the order of the document."""

PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def application(engine: Engine, credentials: Credentials, rates: Rates, *, body_bytes: int) -> web.Application:
    """To be run by aiohttp. `body_bytes`: the largest body that is read."""
    app = web.Application(middlewares=[traced, telling], client_max_size=body_bytes)
    app.on_response_prepare.append(add_headers)
    for operations in ALL:
        for operation in operations:
            app.router.add_route(operation.method, operation.path, answering(operation, engine, credentials, rates))
    described = document(ALL)
    as_json = orjson.dumps(described)
    as_page = page(described).encode()

    async def openapi(_: web.Request) -> web.Response:
        return web.Response(body=as_json, content_type="application/json")

    async def docs(_: web.Request) -> web.Response:
        return web.Response(
            body=as_page, content_type="text/html", charset="utf-8", headers={"Content-Security-Policy": PAGE_POLICY}
        )

    app.router.add_route("GET", "/openapi.json", openapi)
    app.router.add_route("GET", "/docs", docs)
    return app
