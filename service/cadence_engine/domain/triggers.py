"""Which event enrolls in which cadence."""

from collections.abc import Mapping

from cadence_engine.domain.cadence import Scalar, Trigger


def matches(trigger: Trigger, event: str, data: Mapping[str, Scalar]) -> bool:
    """Whether an event of that kind, with those scalars as data, is what `trigger` waits for."""
    return trigger.event == event and not differing(trigger, data)


def differing(trigger: Trigger, data: Mapping[str, Scalar]) -> tuple[str, ...]:
    """The names under which `where` asks for something else than `data` holds; none: it is as asked for."""
    return tuple(
        name for name, values in trigger.where.items() if not any(_same(data.get(name), allowed) for allowed in values)
    )


def _same(left: Scalar, right: Scalar) -> bool:
    # In Python True == 1; in JSON they are different values.
    return isinstance(left, bool) == isinstance(right, bool) and left == right
