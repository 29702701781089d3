"""The process `api`: serves HTTP until it is told to stop."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import AsyncExitStack

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from cadence_engine.api.app import application
from cadence_engine.api.call import Engine, Wake
from cadence_engine.api.credentials import Credentials
from cadence_engine.api.rates import Rates
from cadence_engine.api.tokens import Issuer
from cadence_engine.domain.policy import Policy
from cadence_engine.handlers.replay import Read
from cadence_engine.health import Readiness
from cadence_engine.metrics.process import PROCESS
from cadence_engine.settings import Settings
from cadence_engine.storage import tenant
from cadence_engine.storage.connection import Pool

log = structlog.stdlib.get_logger("cadence_engine.api")

http_log = logging.getLogger("cadence_engine.api.http")
# What is no HTTP is the client's fault, and the error would quote it, be it a credential.
http_log.addFilter(lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError)))

PART = "api"
SHUTDOWN_WITHIN = 7.0  # seconds for the requests under way


async def run(
    settings: Settings,
    policy: Policy,
    pool: Pool,
    stop: asyncio.Event,
    readiness: Readiness,
    *,
    wake: Wake,
    read_letter: Read,
    gate_topics: Sequence[str],
) -> None:
    """Serve until `stop`. Raises OSError when the port is taken.

    `pool` looks up credentials; what routes read and write goes over connections of one company alone.
    """
    readiness.block(PART, "does not listen yet")
    async with AsyncExitStack() as stack:
        tenants = await tenant.connect(settings.database_url.get_secret_value(), process="api", size=settings.pool_size)
        await stack.enter_async_context(tenants)
        PROCESS.connects("companies", tenants)
        issuer = await stack.enter_async_context(Issuer(settings)) if settings.oidc_issuer else None
        rates = await stack.enter_async_context(Rates(settings, readiness))
        app = application(
            Engine(tenants, policy, wake, readiness, read_letter, gate_topics),
            Credentials(pool, issuer),
            rates,
            body_bytes=settings.api_body_bytes,
        )
        runner = web.AppRunner(
            app, access_log=None, logger=http_log, handle_signals=False, shutdown_timeout=SHUTDOWN_WITHIN
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, settings.api_host, settings.api_port)
        await site.start()
        readiness.clear(PART)
        log.info("api_serves", host=settings.api_host, port=runner.addresses[0][1])
        await stop.wait()
