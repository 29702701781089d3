"""The demo's script: what is in it, and that it is what its writer writes."""

from collections import Counter

from cadence_contracts import inbound, read_record, topics
from cadence_contracts.inbound import ContactCreated
from cadence_engine.devstack.demo import script as scripts
from cadence_engine.devstack.demo.run import CADENCES, definitions_of
from cadence_engine.devstack.demo.write_events import write

SCRIPT = scripts.read(scripts.EVENTS.read_text(encoding="utf-8"))
GOOD = [line for line in SCRIPT.lines if line.broken is None]
ASKED_FOR = {topics.COMPANY_DELETED, topics.ENROLLMENT_REQUESTED, topics.ENROLLMENT_CANCEL_REQUESTED}
"""What operators do, asked for by events: the demo's operator does it by commands."""


def test_the_committed_file_is_what_its_writer_writes() -> None:
    assert scripts.EVENTS.read_text(encoding="utf-8") == write()


def test_it_is_small_and_brings_some_hundred_contacts_of_three_companies() -> None:
    events = [inbound.parse(read_record(line.value, line.headers), topic=line.topic) for line in GOOD]
    created = Counter(event.company_id for event in events if isinstance(event, ContactCreated))

    assert scripts.EVENTS.stat().st_size < 200_000
    assert len(created) == 3
    assert created.total() > 280


def test_all_but_the_broken_records_keep_the_contract() -> None:
    assert {line.topic for line in GOOD} == set(topics.INBOUND) - ASKED_FOR
    assert {line.broken for line in SCRIPT.lines} == {
        None,
        "not_json",
        "not_cloudevent",
        "unknown_type",
        "invalid_data",
        "no_value",
    }


def test_some_records_come_twice_and_some_in_binary_mode() -> None:
    identities = Counter((e.source, e.id) for e in (read_record(line.value, line.headers) for line in GOOD))
    binary = [line for line in GOOD if any(name == "ce_id" for name, _ in line.headers)]

    assert sum(count - 1 for count in identities.values()) > 20
    assert len(binary) > 100


def test_nobody_can_be_called() -> None:
    phones = [
        event.phone
        for line in GOOD
        if isinstance(event := inbound.parse(read_record(line.value, line.headers), topic=line.topic), ContactCreated)
    ]

    assert all(phone is None or phone.startswith(("+5500", "+52000", "+351000")) for phone in phones)


def test_the_cadences_wait_for_seconds() -> None:
    definitions = definitions_of(CADENCES)

    assert {each.company_id for each in definitions} == {"acai-do-norte", "mercado-azul", "casa-do-porto"}
    waits = [step.wait for each in definitions for step in each.definition.steps]
    assert all(wait.days == 0 and 2 <= wait.exact.total_seconds() <= 6 for wait in waits)
