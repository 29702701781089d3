"""Whole messages out of a stream of bytes, however the stream is cut into pieces."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """A message holds its own length as a big-endian int32 at `length_at`, and `uncounted` bytes more than that."""

    length_at: int
    uncounted: int


class Frames:
    """Gives out what has come in whole; the rest waits for more."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, chunk: bytes) -> None:
        self._waiting += chunk

    def next(self, layout: Layout) -> bytes | None:
        """The next message with all of its bytes; None until it is whole."""
        header = layout.length_at + 4
        if len(self._waiting) < header:
            return None
        length = int.from_bytes(self._waiting[layout.length_at : header], "big") + layout.uncounted
        return self.take(length)

    def take(self, count: int) -> bytes | None:
        """So many bytes; None until they are there."""
        if len(self._waiting) < count:
            return None
        taken = bytes(self._waiting[:count])
        del self._waiting[:count]
        return taken
