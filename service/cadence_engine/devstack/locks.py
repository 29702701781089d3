"""Locks on directories, between processes; the system lets go of them when their holder dies, however it dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Hold the directory alone; waits for whoever holds it."""
    handle = hold(directory)
    try:
        yield
    finally:
        os.close(handle)


def hold(directory: Path) -> int:
    """Lock the directory until the returned file descriptor is closed; waits for whoever holds it."""
    handle = os.open(directory, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def is_held(directory: Path) -> bool:
    """Whether a living process holds the directory."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)
