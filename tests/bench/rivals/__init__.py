"""The same due steps, run in the ways that others would run them: loop, jobs in Redis, jobs in PostgreSQL.

Each publishes the engine's two records of a step and moves the step on in a table of its own. What they share is fair
to all: uvloop, orjson, prepared statements, an idempotent producer with `acks=all`, two processes. None of them is held
to exactly once, nor to a gate, nor to an event log.
"""

from collections.abc import Mapping
from typing import Final

from tests.bench.rivals import arq_job, original, pgqueuer_job, procrastinate_job
from tests.bench.rivals.way import Way

WAYS: Final[Mapping[str, Way]] = {
    way.name: way for way in (original.WAY, arq_job.WAY, procrastinate_job.WAY, pgqueuer_job.WAY)
}
