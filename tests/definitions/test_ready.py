"""The cadences that every company may start with, and writing definitions back."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from cadence_engine.definitions import ready
from cadence_engine.definitions.load import load
from cadence_engine.definitions.writing import write
from cadence_engine.domain.cadence import (
    Definition,
    Literally,
    Lookup,
    Reentry,
    ReentryRule,
    Source,
    Step,
    Template,
    Trigger,
    Wait,
)
from cadence_engine.domain.company import Company
from cadence_engine.domain.facts import Facts
from cadence_engine.domain.templates import fill

T = TypeVar("T")


def definition(name: str) -> Definition:
    (loaded,) = load([(f"{name}.yaml", ready.text_of(name))], "acme")
    return loaded.definition


def test_reactivation_waits_one_three_and_five_days_after_three_silent_weeks() -> None:
    found = definition("reactivation")
    # The days are the company's own, 21 unless it says otherwise.
    assert found.trigger == Trigger("inactivity", {})
    assert Company("acme").inactive_days == 21
    assert found.reentry == Reentry(ReentryRule.NEW_ACTIVITY)
    assert [(step.key, step.wait) for step in found.steps] == [
        ("we-miss-you", Wait(days=1)),
        ("new-features", Wait(days=3)),
        ("special-offer", Wait(days=5)),
    ]


def test_onboarding_does_not_take_the_first_message_for_a_reply() -> None:
    found = definition("onboarding")
    assert found.trigger.event == "contact.created"
    assert found.reentry == Reentry(ReentryRule.NEVER)
    assert timedelta() < found.reply_grace < timedelta(hours=1)
    assert [step.key for step in found.steps] == ["welcome", "how-to-get-started", "need-help"]


def test_upsell_speaks_of_the_product() -> None:
    found = definition("upsell")
    assert found.trigger.event == "purchase.completed"
    assert [step.key for step in found.steps] == ["thank-you", "complementary-products", "exclusive-bundle"]
    for step in found.steps:
        assert fill(step.template, Facts("ana"), {"product": "starter"})["product"] == "starter"


@pytest.mark.parametrize("name", ready.NAMES)
def test_ready_cadences_can_speak_to_a_contact_of_whom_nothing_is_known(name: str) -> None:
    found = definition(name)
    assert found.key == name
    for step in found.steps:
        assert fill(step.template, Facts("ana"), {})["contactName"]


def by_name(mapping: Mapping[str, T]) -> Mapping[str, T]:
    """As it is written: the order of the names means nothing."""
    return dict(sorted(mapping.items()))


words = some.text(some.characters(categories=("L", "N")), min_size=1, max_size=20)
names = some.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
scalars = (
    some.none()
    | some.booleans()
    | words
    | some.integers(-(2**63), 2**63 - 1)
    | some.floats(-1e15, 1e15, allow_nan=False).map(lambda number: number + 0.0)
)
waits = some.builds(
    Wait,
    some.integers(0, 300),
    some.timedeltas(min_value=timedelta(), max_value=timedelta(days=300)),
)
spans = waits.filter(lambda wait: wait != Wait())
variables = (
    some.builds(Literally, words)
    | some.builds(Lookup, some.just(Source.CONTEXT), words, some.none() | words)
    | some.builds(Lookup, some.just(Source.CONTACT), some.sampled_from(["name", "timeZone"]), some.none() | words)
)
steps = some.builds(
    Step,
    names,
    waits,
    some.builds(
        Template,
        words,
        some.sampled_from(["marketing", "utility", "authentication"]),
        some.dictionaries(some.from_regex(r"[A-Za-z0-9_]{1,20}", fullmatch=True), variables, max_size=3).map(by_name),
    ),
)
triggers = some.builds(Trigger, some.just("inactivity"), some.just({}), some.none() | spans) | some.builds(
    Trigger,
    some.sampled_from(["contact.created", "order.paid"]),
    some.dictionaries(words, some.lists(scalars, min_size=1, max_size=3).map(tuple), max_size=3).map(by_name),
)
reentries = some.sampled_from([Reentry(rule) for rule in ReentryRule if rule != "after"]) | some.builds(
    Reentry, some.just(ReentryRule.AFTER), spans
)
definitions = some.builds(
    Definition,
    key=names,
    name=words,
    trigger=triggers,
    reentry=reentries,
    cancel_on_reply=some.booleans(),
    reply_grace=some.timedeltas(min_value=timedelta(), max_value=timedelta(hours=24)),
    send_within=some.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(hours=72)),
    language=some.sampled_from([None, "en", "pt_BR", "zh_Hant_TW"]),
    steps=some.lists(steps, min_size=1, max_size=3, unique_by=lambda step: step.key).map(tuple),
    completion_tags=some.lists(words, max_size=3, unique=True).map(tuple),
)


@settings(deadline=None)
@given(definitions)
def test_a_definition_written_and_read_again_is_the_same(given_: Definition) -> None:
    (loaded,) = load([("written.yaml", write(given_))], "acme")
    assert repr(loaded.definition) == repr(given_)
