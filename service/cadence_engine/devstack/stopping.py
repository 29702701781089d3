"""How a command that started processes ends: told once, it stops them; told again meanwhile, it goes on with that."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TOLD_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopping_once() -> Iterator[None]:
    """Within, the first Ctrl-C, SIGTERM or hang-up raises KeyboardInterrupt where the program is; further ones nothing.

    So what stands in a `finally` runs to its end. Whoever cannot wait kills the program: the guards clear away then.
    """

    def tell(_: int, __: FrameType | None) -> None:
        for number in TOLD_BY:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, tell) for number in TOLD_BY}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
