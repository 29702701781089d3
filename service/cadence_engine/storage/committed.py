"""Who hears of the events of each transaction once it is committed: whoever counts them. Nothing may rest on it."""

from collections.abc import Callable, Sequence

from cadence_engine.domain.events import Event

Listener = Callable[[Sequence[Event]], None]
"""Is quick and does not raise: the transaction is committed, whatever it does."""

_listeners: set[Listener] = set()


def listen(listener: Listener) -> None:
    """From now on, of every transaction of this process; asking again is fine."""
    _listeners.add(listener)


def tell(events: Sequence[Event]) -> None:
    """These have been committed."""
    if events:
        for listener in _listeners:
            listener(events)
