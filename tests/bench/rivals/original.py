"""The original's loop: fifty due rows a pass, row by row a send and an update, each awaited.

Generous to it: it looked once an hour, and here a pass follows the last at once; two of it sent everything twice, and
here each process has rows of its own; its query had no index for what is due.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from tests.bench.rivals import table
from tests.bench.rivals.desk import Desk, told
from tests.bench.rivals.way import Way
from tests.bench.stage import Ground

NOTHING_DUE = 0.01


async def prepare(ground: Ground) -> None:
    await ground.pool.execute(table.DUE_INDEX)


async def defer(ground: Ground, ids: Sequence[UUID], due_at: datetime) -> None:
    """Nobody is told: the loop looks for itself."""


async def work(desk: Desk) -> None:
    while True:
        rows = await desk.pool.fetch(table.DUE, desk.process)
        for row in rows:
            now = datetime.now(UTC)
            send, executed = told(row, now)
            await (await desk.hand_over(row, *send))
            await desk.advance(row, now)
            await (await desk.hand_over(row, *executed))
        if not rows:
            await asyncio.sleep(NOTHING_DUE)


WAY = Way("original", "the original's loop", defer, work, rows=2_500, prepare=prepare, goal=10)
