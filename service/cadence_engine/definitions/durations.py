"""ISO 8601 durations, without the units whose length nobody can say."""

from datetime import timedelta

from whenever import ItemizedDelta

from cadence_engine.domain.cadence import Wait

UNITS = "weeks, days, hours, minutes and seconds, such as P3D, P1W, PT90M or P1DT12H"


class BadDuration(ValueError):  # noqa: N818
    """The text is no duration that can be waited; the message says why."""


def parse_wait(text: str) -> Wait:
    """`text` as local days, then elapsed time. Raises BadDuration."""
    try:
        parts = ItemizedDelta.parse_iso(text)
        exact = timedelta(
            hours=parts.get("hours", 0),
            minutes=parts.get("minutes", 0),
            seconds=parts.get("seconds", 0),
            microseconds=parts.get("nanoseconds", 0) // 1000,
        )
    except (ValueError, OverflowError) as error:
        raise BadDuration(f"`{text}` is no ISO 8601 duration of {UNITS}") from error
    if parts.get("years") or parts.get("months"):
        raise BadDuration(f"`{text}` has years or months, which differ in length: use weeks or days (such as P30D)")
    if parts.sign() < 0:
        raise BadDuration(f"`{text}` is negative: a duration runs forward")
    return Wait(days=7 * parts.get("weeks", 0) + parts.get("days", 0), exact=exact)


def parse_elapsed(text: str) -> timedelta:
    """`text` as time that a stopwatch shows. Raises BadDuration, for days too: those differ with daylight saving."""
    wait = parse_wait(text)
    if wait.days:
        raise BadDuration(f"`{text}` has days, which may be of 23 or 25 hours: write hours (a day is PT24H)")
    return wait.exact


def write_wait(wait: Wait) -> str:
    """The text that `parse_wait` reads as `wait`."""
    seconds, rest = divmod(wait.exact, timedelta(seconds=1))
    parts = {
        "days": wait.days,
        "hours": seconds // 3600,
        "minutes": seconds // 60 % 60,
        "seconds": seconds % 60,
        "nanoseconds": rest.microseconds * 1000,
    }
    said = {unit: amount for unit, amount in parts.items() if amount}
    return ItemizedDelta(**said).format_iso() if said else "PT0S"


def write_elapsed(elapsed: timedelta) -> str:
    """The text that `parse_elapsed` reads as `elapsed`."""
    return write_wait(Wait(exact=elapsed))
