"""Judges the engine from outside, by what was published and what came out; it shares no code with the engine."""

from tests.faults.oracle.judge import judge

__all__ = ["judge"]
