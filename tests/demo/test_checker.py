"""The demo's checker says so when something is wrong: first on a real run, then on what was seen, altered each time."""

import asyncio
import copy
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from rich.console import Console

from cadence_contracts import write_record
from cadence_contracts.outbound import EnrollmentParked, EnrollmentStarted, SendRequested, StepExecuted
from cadence_engine.devstack.demo import script as scripts
from cadence_engine.devstack.demo import verdict
from cadence_engine.devstack.demo.demands import Demands, Passage
from cadence_engine.devstack.demo.reading import read
from cadence_engine.devstack.demo.run import CADENCES, Outcome, definitions_of, perform
from cadence_engine.devstack.demo.script import Script
from cadence_engine.devstack.demo.seen import Arrived, Seen, Trace
from cadence_engine.devstack.demo.stage import PREFIX, stage
from cadence_engine.devstack.fleet import Fleet, command
from cadence_engine.devstack.preparing import prepare
from cadence_engine.devstack.servers import Servers

pytestmark = pytest.mark.timeout(240)

CONTACTS_UNTIL = 2.6
BROKEN_UNTIL = 8.0
READ_AGAIN_WITHIN = 30


@dataclass
class Run:
    """A short run, what was seen in it, and what a reader saw after a send was planted behind it."""

    outcome: Outcome
    shown: str
    planted: SendRequested
    with_planted: Seen

    def altered(self) -> tuple[Demands, Seen]:
        """Copies to alter."""
        return copy.copy(self.outcome.demands), copy.deepcopy(self.outcome.seen)


@pytest.fixture(scope="module")
def run(servers: Servers) -> Run:
    """Only the contacts who appear in the first seconds; on the session's servers."""
    with ThreadPoolExecutor(1) as aside:  # what is run there has event loops of its own
        return aside.submit(_run, servers).result()


def _run(servers: Servers) -> Run:
    definitions = definitions_of(CADENCES)
    with stage(servers) as environment:
        prepare(environment)
        with Fleet(servers.directory / f"fleet-{uuid4().hex[:8]}", environment) as engine:
            command(environment, "apply", str(CADENCES))
            engine.start()
            terminal = Console(file=(shown := StringIO()), force_terminal=True, width=120)
            outcome = asyncio.run(perform(_short(), definitions, environment, terminal))
        planted, seen = asyncio.run(_plant(outcome.seen, environment))
        return Run(outcome, shown.getvalue(), planted, seen)


def _short() -> Script:
    whole = scripts.read(scripts.EVENTS.read_text(encoding="utf-8"))
    early = {line.key for line in whole.lines if line.at <= CONTACTS_UNTIL}
    kept = [line for line in whole.lines if line.key in early and (line.broken is None or line.at <= BROKEN_UNTIL)]
    return Script(tuple(kept), ())


async def _plant(seen: Seen, environment: Mapping[str, str]) -> tuple[SendRequested, Seen]:
    """A send once more, under an id of its own, put behind what the engine published; then everything read anew."""
    send = next(trace.sends[-1].send for trace in seen.traces.values() if trace.sends)
    planted = send.model_copy(update={"send_id": uuid4()})
    record = write_record(planted, id=str(planted.send_id), source="/cadence-engine")
    async with AIOKafkaProducer(bootstrap_servers=environment["KAFKA_BOOTSTRAP_SERVERS"]) as producer:
        await producer.send_and_wait(**record._replace(topic=environment[PREFIX] + record.topic)._asdict())
    again = Seen(environment[PREFIX])
    async with asyncio.timeout(READ_AGAIN_WITHIN), asyncio.TaskGroup() as group:
        reading = group.create_task(read(environment, again))
        while not _as_much(again, seen):  # noqa: ASYNC110 - the topics are all there is to wait for
            await asyncio.sleep(0.1)
        reading.cancel()
    return planted, again


def _as_much(again: Seen, seen: Seen) -> bool:
    return (
        again.sends().total() > seen.sends().total()
        and again.events() == seen.events()
        and len(again.dead_letters) == len(seen.dead_letters)
    )


def _differences(demands: Demands, seen: Seen) -> str:
    return "\n".join(verdict.reach(demands, seen).differences)


def _trace_of(passage: Passage, seen: Seen) -> Trace:
    return next(
        trace
        for trace in seen.traces.values()
        if (first := trace.events[0]) and (first.company_id, first.contact_id, first.cadence_key) == passage.key
    )


def _finished(demands: Demands, seen: Seen) -> tuple[Passage, Trace]:
    """A passage that nothing stopped or held."""
    return next(
        (passage, trace)
        for passage in demands.passages.values()
        if (trace := _trace_of(passage, seen)).completed
        and not any(isinstance(event, EnrollmentParked) for event in trace.events)
    )


def _replied(demands: Demands, seen: Seen) -> tuple[Passage, Trace]:
    """A passage that a reply ended after a send."""
    return next(
        (passage, trace)
        for passage in demands.passages.values()
        if passage.stop is not None and passage.stop.reason == "replied" and (trace := _trace_of(passage, seen)).sends
    )


def test_a_real_run_is_right(run: Run) -> None:
    assert run.outcome.verdict.differences == ()
    assert {row.what for row in run.outcome.verdict.rows} >= {"enrolled", "step 3 sent", "cancelled by a reply"}
    assert all(row.demanded == row.seen for row in run.outcome.verdict.rows)
    assert run.outcome.demands.repetitions > 0


def test_a_terminal_shows_it_live_and_nobodys_name_or_number(run: Run) -> None:
    sends = [arrived.send for trace in run.outcome.seen.traces.values() for arrived in trace.sends]
    assert run.shown.count("mercado-azul") > 10
    assert not [send for send in sends if send.to and send.to in run.shown]
    assert not [send for send in sends if send.template.variables.get("contactName", "friend") in run.shown]


def test_a_send_that_is_on_the_topic_once_too_often_is_noticed(run: Run) -> None:
    found = _differences(run.outcome.demands, run.with_planted)

    assert f"{run.planted.company_id}/{run.planted.contact_id}" in found
    assert "that no step.executed tells of" in found


def test_a_lost_send_is_noticed(run: Run) -> None:
    demands, seen = run.altered()
    passage, trace = _finished(demands, seen)
    lost = trace.sends.pop()

    assert f"{passage}: step {lost.send.step_key} ran, but its send is missing" in _differences(demands, seen)


def test_a_record_that_comes_twice_is_noticed(run: Run) -> None:
    demands, seen = run.altered()
    _, trace = _finished(demands, seen)
    trace.events.append(trace.events[-1])

    assert "its revisions are" in _differences(demands, seen)


def test_a_step_that_never_ran_is_noticed(run: Run) -> None:
    demands, seen = run.altered()
    passage, trace = _finished(demands, seen)
    del trace.events[-2:], trace.sends[-1:]

    assert f"{passage}: is not completed" in _differences(demands, seen)


def test_a_passage_that_never_started_is_noticed(run: Run) -> None:
    demands, seen = run.altered()
    passage, trace = _finished(demands, seen)
    seen.traces = {key: each for key, each in seen.traces.items() if each is not trace}

    assert _differences(demands, seen) == f"{passage}: did not start"


def test_a_passage_that_nothing_asked_for_is_noticed(run: Run) -> None:
    demands, seen = run.altered()
    passage, _ = _finished(demands, seen)
    less = replace(demands, passages={key: each for key, each in demands.passages.items() if each is not passage})

    assert "nothing asked for" in _differences(less, seen)


def test_a_send_due_after_the_reply_is_noticed(run: Run) -> None:
    demands, seen = run.altered()
    passage, trace = _replied(demands, seen)
    assert passage.stop is not None
    earlier = replace(passage, stop=replace(passage.stop, at=trace.sends[-1].send.due_at))
    demands = replace(demands, passages={**demands.passages, passage.key: earlier})

    assert "was due 0.000 s after the contact's word against it" in _differences(demands, seen)


def test_a_send_decided_long_after_the_reply_is_noticed(run: Run) -> None:
    demands, seen = run.altered()
    passage, trace = _replied(demands, seen)
    assert passage.stop is not None
    _alter(trace, requested_at=passage.stop.at + timedelta(seconds=6))

    assert "was decided 6.000 s after the contact's word against it" in _differences(demands, seen)


def test_a_reply_that_changed_nothing_is_noticed(run: Run) -> None:
    demands, seen = run.altered()
    passage, trace = _replied(demands, seen)
    trace.events.pop()

    assert f"{passage}: is not cancelled" in _differences(demands, seen)


def test_a_step_left_out_long_before_the_reply_is_noticed(run: Run) -> None:
    demands, seen = run.altered()
    passage, _ = _replied(demands, seen)
    assert passage.stop is not None
    later = replace(passage, stop=replace(passage.stop, at=passage.stop.at + timedelta(minutes=1)))
    demands = replace(demands, passages={**demands.passages, passage.key: later})

    assert "before it was stopped, and not sent" in _differences(demands, seen)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"to": "+5500999"}, "goes to another number"),
        ({"conversation_id": "wa-of-somebody"}, "goes to another conversation"),
        ({"contact_id": "c-other"}, "is for "),
        ({"due_at": None}, "was due"),
    ],
)
def test_a_send_with_a_wrong_field_is_noticed(run: Run, change: dict[str, object], told: str) -> None:
    demands, seen = run.altered()
    _, trace = _finished(demands, seen)
    _alter(trace, **{name: value or trace.sends[0].send.due_at for name, value in change.items()})

    assert told in _differences(demands, seen)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"variables": {"contactName": "Somebody Else"}}, "has the wrong text for contactName"),
        ({"variables": {}}, "fills []"),
        ({"language": "tlh"}, "is in tlh"),
        ({"id": "another_template"}, "with template another_template"),
    ],
)
def test_a_send_with_a_wrong_text_is_noticed(run: Run, change: dict[str, object], told: str) -> None:
    demands, seen = run.altered()
    _, trace = _finished(demands, seen)
    _alter(trace, template=trace.sends[-1].send.template.model_copy(update=change))

    assert told in _differences(demands, seen)


def test_a_wrong_wait_is_noticed(run: Run) -> None:
    demands, seen = run.altered()
    _, trace = _finished(demands, seen)
    event = trace.events[1]
    assert isinstance(event, StepExecuted)
    assert event.next_run_at is not None
    trace.events[1] = event.model_copy(update={"next_run_at": event.next_run_at + timedelta(seconds=1)})

    assert "after 1 steps it waits until" in _differences(demands, seen)


def test_a_wrong_cause_is_noticed(run: Run) -> None:
    demands, seen = run.altered()
    _, trace = _finished(demands, seen)
    assert isinstance(trace.events[0], EnrollmentStarted)
    trace.events[0] = trace.events[0].model_copy(update={"trigger": "lead.created"})

    assert "started by lead.created" in _differences(demands, seen)


def test_a_send_that_is_very_late_is_noticed(run: Run) -> None:
    demands, seen = run.altered()
    _, trace = _finished(demands, seen)
    trace.sends[0] = Arrived(trace.sends[0].send, trace.sends[0].at + timedelta(minutes=1))

    assert "1 sends came more than 10 s after they were due" in _differences(demands, seen)


def test_lost_wrong_and_surplus_dead_letters_are_noticed(run: Run) -> None:
    demands, seen = run.altered()
    assert len(seen.dead_letters) >= 3
    lost, mislabelled, altered, *others = seen.dead_letters
    wrong = [replace(mislabelled, reason="stale"), replace(altered, value=b"something else"), *others, *others[:1]]

    found = _differences(demands, replace(seen, dead_letters=wrong))

    assert "no dead letter of {}/{}@{}".format(*lost.position) in found
    assert f"its reason is stale, not {mislabelled.reason}" in found
    assert "key, value and headers are not those of the record" in found
    assert "or it came twice" in found


def _alter(trace: Trace, **changes: object) -> None:
    """Change the newest send."""
    last = trace.sends[-1]
    trace.sends[-1] = Arrived(last.send.model_copy(update=changes), last.at)
