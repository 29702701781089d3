"""One process of a rival: `python -m tests.bench.rivals NAME NUMBER` tells READY, and works until it is stopped."""

import asyncio
import contextlib
import signal
import sys

import uvloop

from cadence_engine.settings import load
from tests.bench.rivals import WAYS
from tests.bench.rivals.desk import desk
from tests.bench.rivals.race import READY


async def main(name: str, process: int) -> None:
    async with desk(load(), process) as ready:
        working = asyncio.ensure_future(WAYS[name].work(ready))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.cancel)
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        with contextlib.suppress(asyncio.CancelledError):
            await working


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
