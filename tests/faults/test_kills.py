"""The whole engine under a random load from a seed: never lost, never twice, never after a reply."""

from pathlib import Path

from cadence_engine.devstack.servers import Servers
from tests.faults.load import draw
from tests.faults.timeline import explain
from tests.faults.world import SEVERAL, world


async def test_unhurt_it_keeps_every_promise(
    servers: Servers, database_url: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with world(servers, database_url, topic_prefix, tmp_path, size=SEVERAL) as around:
        await around.play(draw(1, contacts=40, seconds=4))
        violations = await around.verdict()
        assert not violations, explain(await around.history(), violations)
