"""A relay process that kills or freezes itself: `breakable_relay.py [POINT SIGNAL NTH]`, settings as in production."""

import asyncio
import os
import signal
import sys

from cadence_engine import telemetry
from cadence_engine.bus.relay.points import Point
from cadence_engine.bus.relay.process import run
from cadence_engine.settings import load

point, signalled, nth = (*sys.argv[1:], "", "SIGKILL", "1")[:3]
left = int(nth)


async def strike(passed: Point) -> None:
    global left
    left -= passed == point
    if passed == point and left == 0:
        os.kill(os.getpid(), signal.Signals[signalled])


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run(load(), stop, on_point=strike)


telemetry.configure("relay")
asyncio.run(main())
