"""What a history is made of: definitions, and what happens to people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hypothesis import strategies as some

from cadence_engine.domain.cadence import (
    Definition,
    Literally,
    Lookup,
    Reentry,
    ReentryRule,
    Scalar,
    Source,
    Step,
    Template,
    Trigger,
    Variable,
    Wait,
)
from cadence_engine.domain.operate import Cancel, Operation, Pause, Resume, RunNow, Skip
from cadence_engine.domain.resume import ResumeMode

CREATED = "contact.created"
PURCHASED = "purchase.completed"
NEW_YORK = "America/New_York"  # 2026: forward on 8 March 02:00, back on 1 November 02:00
TOKYO = "Asia/Tokyo"
UNKNOWN_ZONE = "Mars/Olympus"

CONTACTS = ("ana", "bob")
TRIGGERS = {"onboarding": CREATED, "upsell": PURCHASED}

Stream = Literal["contacts", "purchases", "messages", "preferences", "deletions"]
GATE_STREAMS: tuple[Stream, ...] = ("messages", "preferences", "deletions")
STREAMS: tuple[Stream, ...] = ("contacts", "purchases", *GATE_STREAMS)


@dataclass(frozen=True)
class Record:
    """Something that another service told about a contact at `at`, the time of Kafka; `id` is its identity.

    `fields`: what a contact record tells of name, phone and zone; None clears.
    """

    id: str
    stream: Stream
    contact: str
    at: datetime
    created: bool = False
    fields: tuple[tuple[str, str | None], ...] = ()
    inbound: bool = True
    stop: bool = True
    conversation: str | None = None
    product: str | None = None


STARTS = some.sampled_from(
    [
        datetime.fromisoformat(text)
        for text in (
            "2026-03-07T07:30:00Z",  # 02:30 in New York, which does not exist on the next day
            "2026-10-31T05:30:00Z",  # 01:30, which exists twice on the next day
            "2026-11-01T06:30:00Z",  # 01:30 for the second time
            "2026-03-05T07:30:00Z",  # three days before
        )
    ]
)
TICKS = some.sampled_from(
    [
        timedelta(),
        timedelta(microseconds=1),
        timedelta(seconds=1),
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(hours=1),
        timedelta(hours=23),
        timedelta(days=1),
        timedelta(days=4),
    ]
)
ZONES = some.sampled_from([NEW_YORK, TOKYO, UNKNOWN_ZONE, None])

_WAITS = some.sampled_from(
    [
        Wait(),
        Wait(exact=timedelta(seconds=1)),
        Wait(exact=timedelta(hours=2)),
        Wait(exact=timedelta(hours=24)),
        Wait(days=1),
        Wait(days=3),
        Wait(days=1, exact=timedelta(minutes=90)),
    ]
)
_VARIABLES: some.SearchStrategy[dict[str, Variable]] = some.sampled_from(
    [
        {},
        {"greeting": Literally("hello")},
        {"greeting": Literally("hello"), "who": Lookup(Source.CONTACT, "name", fallback="you")},
        {"who": Lookup(Source.CONTACT, "name")},
        {"who": Lookup(Source.CONTACT, "name", fallback="you")},
        {"product": Lookup(Source.CONTEXT, "product", fallback="it")},
        {"product": Lookup(Source.CONTEXT, "product")},
    ]
)


def _step(key: str, wait: Wait, variables: Mapping[str, Variable]) -> Step:
    return Step(key, wait, Template(f"template_{key}", "marketing", variables))


_STEPS = some.lists(
    some.builds(_step, some.sampled_from("abcdefg"), _WAITS, _VARIABLES),
    min_size=1,
    max_size=5,
    unique_by=lambda step: step.key,
).map(tuple)
_REENTRIES = some.sampled_from(
    [
        Reentry(ReentryRule.NEVER),
        Reentry(ReentryRule.ALWAYS),
        Reentry(ReentryRule.NEW_ACTIVITY),
        Reentry(ReentryRule.AFTER, Wait(exact=timedelta(hours=2))),
        Reentry(ReentryRule.AFTER, Wait(days=1)),
    ]
)
_WHERES: dict[str, some.SearchStrategy[Mapping[str, tuple[Scalar, ...]]]] = {
    "onboarding": some.just({}),
    "upsell": some.sampled_from([{}, {"product": ("pro",)}]),
}


def operations(now: datetime, steps: Sequence[str | None]) -> some.SearchStrategy[Operation]:
    """Any order of an operator; those of them that name a step mostly name one of `steps`."""
    keys = [*(key for key in steps if key), "z"]
    return some.one_of(
        some.builds(Pause, some.none() | TICKS.map(lambda by: now + by)),
        some.builds(Resume, some.sampled_from(ResumeMode)),
        some.builds(Skip, some.sampled_from(keys)),
        some.just(RunNow()),
        some.just(RunNow()),
        some.just(Cancel()),
    )


def definitions(key: str) -> some.SearchStrategy[Definition]:
    """Any definition of the cadence `key`, with its own trigger."""
    return some.builds(
        _definition,
        some.just(key),
        _WHERES[key],
        _REENTRIES,
        some.sampled_from([timedelta(), timedelta(), timedelta(minutes=5), None]),
        some.sampled_from([timedelta(minutes=1), timedelta(hours=1)]),
        some.sampled_from([None, "pt_BR"]),
        _STEPS,
        some.sampled_from([(), ("done",), ("done", "won")]),
    )


def _definition(
    key: str,
    where: Mapping[str, tuple[Scalar, ...]],
    reentry: Reentry,
    reply_grace: timedelta | None,
    send_within: timedelta,
    language: str | None,
    steps: tuple[Step, ...],
    tags: tuple[str, ...],
) -> Definition:
    return Definition(
        key=key,
        name=key,
        trigger=Trigger(TRIGGERS[key], where),
        reentry=reentry,
        cancel_on_reply=reply_grace is not None,
        reply_grace=reply_grace or timedelta(),
        send_within=send_within,
        language=language,
        steps=steps,
        completion_tags=tags,
    )
