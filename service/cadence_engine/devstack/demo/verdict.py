"""Everything demanded held against everything seen."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from cadence_engine.devstack.demo.demands import Demands, Published
from cadence_engine.devstack.demo.judge import judge
from cadence_engine.devstack.demo.seen import DeadLetter, Seen, Trace

LEAST_GREY = timedelta(seconds=1)
LATE_AT_MOST = 10.0
"""Seconds: how late a busy machine may be; what a lost wakeup costs is found by the sweep within one or two."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: how many of something there had to be, and were."""

    what: str
    demanded: int
    seen: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`differences` is empty where all is right."""

    rows: tuple[Row, ...]
    differences: tuple[str, ...]


def reach(demands: Demands, seen: Seen) -> Verdict:
    """The verdict on a run that has come to its end."""
    lateness = seen.lateness()
    slowest = min(LATE_AT_MOST, lateness[-1]) if lateness else 0.0
    grey = max(LEAST_GREY, timedelta(seconds=slowest))
    by_key = _by_key(seen)
    differences = [*seen.oddities, *_too_late(lateness)]
    steps: Counter[int] = Counter()
    for key, passage in demands.passages.items():
        traces = by_key.pop(key, [])
        if not traces:
            differences.append(f"{passage}: did not start")
        differences += [f"{passage}: started again ({len(trace.sends)} sends)" for trace in traces[1:]]
        for trace in traces[:1]:
            judgement = judge(passage, trace, grey)
            differences += judgement.differences
            steps.update(range(judgement.steps))
    for key, traces in by_key.items():
        differences.append(f"{'/'.join(key)}: {len(traces)} enrollments that nothing asked for")
    differences += _wrong_letters(demands, seen)
    return Verdict(tuple(_rows(demands, seen, steps)), tuple(differences))


def _by_key(seen: Seen) -> dict[tuple[str, str, str], list[Trace]]:
    by_key: dict[tuple[str, str, str], list[Trace]] = {}
    for trace in seen.traces.values():
        told = trace.events[0] if trace.events else trace.sends[0].send
        by_key.setdefault((told.company_id, told.contact_id, told.cadence_key), []).append(trace)
    return by_key


def _too_late(lateness: list[float]) -> Iterator[str]:
    late = [seconds for seconds in lateness if seconds > LATE_AT_MOST]
    if late:
        yield f"{len(late)} sends came more than {LATE_AT_MOST:.0f} s after they were due, the last {late[-1]:.1f} s"


def _wrong_letters(demands: Demands, seen: Seen) -> Iterator[str]:
    left = {_position(record): record for record in demands.dead_letters}
    for letter in seen.dead_letters:
        record = left.pop(letter.position, None)
        where = "{}/{}@{}".format(*letter.position)
        if record is None:
            yield f"dead letter of {where} ({letter.reason}): nothing was wrong with it, or it came twice"
        elif letter.reason != record.line.broken:
            yield f"dead letter of {where}: its reason is {letter.reason}, not {record.line.broken}"
        elif not _is_whole(letter, record):
            yield f"dead letter of {where}: key, value and headers are not those of the record"
    for record in left.values():
        yield f"no dead letter of {record.line.topic}/{record.partition}@{record.offset} ({record.line.broken})"


def _is_whole(letter: DeadLetter, record: Published) -> bool:
    line = record.line
    return (letter.key, letter.value) == (line.key, line.value) and dict(line.headers).items() <= letter.headers.items()


def _position(record: Published) -> tuple[str, int, int]:
    return record.line.topic, record.partition, record.offset


def _rows(demands: Demands, seen: Seen, steps: Counter[int]) -> Iterator[Row]:
    passages = list(demands.passages.values())
    told, sends = seen.events(), seen.sends()
    yield Row("enrolled", len(passages), told["cadence.enrollment.started"])
    for position in sorted(steps.keys() | sends.keys()):
        yield Row(f"step {position + 1} sent", steps[position], sends[position])
    reasons = Counter(passage.stop.reason for passage in passages if passage.stop is not None)
    unstopped = [passage for passage in passages if passage.stop is None]
    for reason, name in (
        ("replied", "cancelled by a reply"),
        ("opted_out", "cancelled by an opt-out"),
        ("contact_deleted", "cancelled by a deletion"),
    ):
        yield Row(name, reasons[reason], told[f"cancelled: {reason}"])
    parked_for_good = sum(passage.stays_parked for passage in unstopped)
    yield Row("completed", len(unstopped) - parked_for_good, told["cadence.enrollment.completed"])
    yield Row("parked for good", parked_for_good, sum(trace.parked for trace in seen.traces.values()))
    demanded_letters = Counter(str(record.line.broken) for record in demands.dead_letters)
    seen_letters = Counter(letter.reason for letter in seen.dead_letters)
    for reason in sorted(demanded_letters.keys() | seen_letters.keys()):
        yield Row(f"dead letter: {reason}", demanded_letters[reason], seen_letters[reason])
