"""When a wait ends, by the standard library alone: what the engine's own arithmetic is compared with."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cadence_engine.domain.cadence import Wait


def end_of(start: datetime, wait: Wait, zone: str) -> datetime:
    """`start` plus the wait: its days by the wall clock in `zone`, then its exact part."""
    return (_later_wall(start, wait.days, ZoneInfo(zone)) if wait.days else start) + wait.exact


def _later_wall(start: datetime, days: int, zone: ZoneInfo) -> datetime:
    wall = start.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    readings = [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    real = [reading for reading in readings if reading.astimezone(zone).replace(tzinfo=None) == wall]
    return min(real) if real else max(readings)  # twice: the earlier; never: the clock after the gap
