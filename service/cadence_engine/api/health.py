"""Health, for whoever watches over this process."""

from cadence_engine.api.call import Engine
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.wire import Told

operations = Operations("Health", "For load balancers and orchestrators; no credential is needed.")


class Live(Told):
    live: bool


class Ready(Told):
    """`blocking`, `degraded`: the reason by part."""

    ready: bool
    blocking: dict[str, str]
    degraded: dict[str, str]


@operations.add("GET", "/health/live", scope=None, answers={200: Live})
async def live(_: Engine) -> Answer:
    """Whether the process turns at all."""
    return Answer(Live(live=True))


@operations.add("GET", "/health/ready", scope=None, answers={200: Ready, 503: Ready})
async def ready(engine: Engine) -> Answer:
    """Whether it can do its work, and what it lacks."""
    readiness = engine.readiness
    said = Ready(ready=readiness.ready, blocking=readiness.blocking, degraded=readiness.degraded)
    return Answer(said, status=200 if said.ready else 503)
