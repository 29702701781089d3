"""What a process says of itself, and the small HTTP server that tells it to whoever watches over the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from cadence_engine.metrics.registry import exposition


class Readiness:
    """Why this process is not ready, or ready but worse off than it should be. Ready means that nothing blocks it."""

    def __init__(self) -> None:
        self.blocking: dict[str, str] = {}
        self.degraded: dict[str, str] = {}

    @property
    def ready(self) -> bool:
        return not self.blocking

    def block(self, part: str, reason: str) -> None:
        """Not ready until `clear(part)`; the reason is for an operator and holds no personal data."""
        self.blocking[part] = reason

    def degrade(self, part: str, reason: str) -> None:
        """Still ready: the work goes on without this part, if slower."""
        self.degraded[part] = reason

    def clear(self, part: str) -> None:
        """The part is well again, or was never ill."""
        self.blocking.pop(part, None)
        self.degraded.pop(part, None)


@asynccontextmanager
async def serve(readiness: Readiness, host: str, port: int) -> AsyncIterator[None]:
    """Answer GET /health/live, /health/ready and /metrics while the context lasts; port 0: no server at all.

    `live` answers 200 as long as the event loop turns. `ready` answers 200 or 503, with the reasons by part:
    `{"ready": false, "blocking": {"postgres": "..."}, "degraded": {}}`. Raises OSError when the port is taken.
    """
    if not port:
        yield
        return
    runner = web.AppRunner(_application(readiness), access_log=None, handle_signals=False, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()


def _application(readiness: Readiness) -> web.Application:
    async def live(_: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def ready(_: web.Request) -> web.Response:
        said = {"ready": readiness.ready, "blocking": readiness.blocking, "degraded": readiness.degraded}
        return web.json_response(said, status=200 if readiness.ready else 503)

    async def metrics(request: web.Request) -> web.Response:
        written, content_type = exposition(request.headers.get("Accept", ""))
        return web.Response(body=written, headers={"Content-Type": content_type})

    application = web.Application()
    application.add_routes(
        [web.get("/health/live", live), web.get("/health/ready", ready), web.get("/metrics", metrics)]
    )
    return application
