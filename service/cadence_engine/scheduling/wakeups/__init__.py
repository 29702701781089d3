"""Hints of when to look, kept in Redis by arq: the only folder that knows either.

A lost hint is a latency, not a correctness gap: the sweep, which knows Postgres only, finds whatever is overdue.
"""

from cadence_engine.scheduling.wakeups.hints import Hints
from cadence_engine.scheduling.wakeups.waker import Waker

__all__ = ["Hints", "Waker"]
