"""Drafts: edited by many, published once, and never in the way of what runs."""

import asyncio
from dataclasses import replace
from uuid import uuid4

from cadence_engine.domain.cadence import Definition
from cadence_engine.domain.enroll import Refusal, Refused
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers.apply_definition import Created, NewVersion, Unchanged
from cadence_engine.handlers.drafts import (
    NONE,
    Discarded,
    NoDraft,
    Outdated,
    Overtaken,
    Saved,
    discard_draft,
    publish_draft,
    save_draft,
)
from cadence_engine.storage import drafts
from cadence_engine.storage.database import run
from cadence_engine.storage.drafts import Draft
from tests.handlers.conftest import ACME, Stage, definition

KEY = "onboarding"
PHONE = "+5511999990000"


def named(name: str) -> Definition:
    return replace(definition(), name=name)


async def test_it_is_edited_any_number_of_times_and_runs_only_once_published(stage: Stage) -> None:
    for revision, name in enumerate(["One", "Two", "Three"]):
        saved = await _save(stage, named(name), revision)
        assert isinstance(saved, Saved)
        assert saved.draft.revision == revision + 1
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    assert await stage.statuses() == []
    published = await _publish(stage, 3)
    assert isinstance(published, Created)
    assert published.version.definition == named("Three")
    await stage.hears("contact.created", contactId="bia", phone=PHONE)
    assert await stage.statuses("bia") == ["active"]
    assert await _draft(stage) is None


async def test_an_edit_of_an_older_revision_is_refused_with_both_named(stage: Stage) -> None:
    await _save(stage, named("One"), NONE)
    await _save(stage, named("Olga's"), 1)
    refused = await _save(stage, named("Rui's"), 1)
    assert isinstance(refused, Outdated)
    assert (refused.expected, refused.revision) == (1, 2)
    assert isinstance(await _save(stage, named("Rui's"), NONE), Outdated)
    assert isinstance(await _publish(stage, 1), Outdated)
    assert isinstance(await _discard(stage, 1), Outdated)
    draft = await _draft(stage)
    assert draft is not None
    assert (draft.revision, draft.definition.name) == (2, "Olga's")


async def test_of_many_who_save_at_once_one_wins(stage: Stage) -> None:
    for expected in (NONE, 1):
        outcomes = await asyncio.gather(*(_save(stage, named(f"By {n}"), expected) for n in range(5)))
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Outdated"] * 4 + ["Saved"]


async def test_of_many_who_publish_at_once_one_makes_the_version(stage: Stage) -> None:
    await _save(stage, named("One"), NONE)
    outcomes = await asyncio.gather(*(_publish(stage, 1) for _ in range(5)))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Created"] + ["NoDraft"] * 4


async def test_a_revision_is_never_used_again(stage: Stage) -> None:
    """Or an edit of a draft that is long published would overwrite another."""
    await _save(stage, named("One"), NONE)
    await _publish(stage, 1)
    assert isinstance(await _save(stage, named("Late"), 1), Outdated)
    begun = await _save(stage, named("Two"), NONE)
    assert isinstance(begun, Saved)
    assert (begun.draft.revision, begun.draft.based_on) == (2, 1)
    assert isinstance(await _discard(stage, 2), Discarded)
    assert isinstance(await _discard(stage, 2), NoDraft)
    again = await _save(stage, named("Three"), NONE)
    assert isinstance(again, Saved)
    assert again.draft.revision == 3


async def test_it_does_not_undo_what_was_published_meanwhile(stage: Stage) -> None:
    await stage.publish(named("One"))
    await _save(stage, named("Mine"), NONE)
    await stage.publish(named("Theirs"))
    overtaken = await _publish(stage, 1)
    assert isinstance(overtaken, Overtaken)
    assert (overtaken.draft.based_on, overtaken.current) == (1, 2)
    assert await _draft(stage) is not None


async def test_it_does_not_undo_a_cadence_that_was_made_meanwhile(stage: Stage) -> None:
    await _save(stage, named("Mine"), NONE)
    await stage.publish(named("Theirs"))
    assert isinstance(await _publish(stage, 1), Overtaken)


async def test_published_elsewhere_word_for_word_it_is_done(stage: Stage) -> None:
    await stage.publish(named("One"))
    await _save(stage, named("Two"), NONE)
    await stage.publish(named("Two"))
    assert isinstance(await _publish(stage, 1), Unchanged)
    assert await _draft(stage) is None


async def test_those_in_flight_stay_on_their_version(stage: Stage) -> None:
    await stage.publish(named("One"))
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    await _save(stage, named("Two"), NONE)
    assert isinstance(await _publish(stage, 1), NewVersion)
    await stage.hears("contact.created", contactId="bia", phone=PHONE)
    rows = await stage.pool.fetch("SELECT contact_id, version FROM cadence_enrollments ORDER BY contact_id")
    assert [tuple(row) for row in rows] == [("ana", 1), ("bia", 2)]


async def test_a_new_cadence_may_wait_to_be_activated(stage: Stage) -> None:
    await _save(stage, named("One"), NONE)
    created = await _publish(stage, 1, CadenceStatus.PAUSED)
    assert isinstance(created, Created)
    assert created.status is CadenceStatus.PAUSED
    await stage.hears("contact.created", contactId="ana", phone=PHONE)
    assert await stage.statuses() == []
    assert await stage.enroll(created.version, "ana") == Refused(Refusal.CADENCE_NOT_ACTIVE)


async def test_another_company_sees_nothing_of_it(stage: Stage) -> None:
    await _save(stage, named("One"), NONE)
    publish = await run(
        stage.pool,
        lambda unit: publish_draft(unit, "other", KEY, expected=1, cadence_id=uuid4(), actor="eve"),
    )
    assert publish[0] == NoDraft()
    async with stage.pool.acquire() as connection:
        assert await drafts.listed(connection, "other") == []
        assert [draft.key for draft in await drafts.listed(connection, ACME)] == [KEY]


async def _save(stage: Stage, content: Definition, expected: int) -> Saved | Outdated:
    return (await run(stage.pool, lambda unit: save_draft(unit, ACME, content, expected=expected, actor="olga")))[0]


async def _publish(stage: Stage, expected: int, status: CadenceStatus = CadenceStatus.ACTIVE) -> object:
    return (
        await run(
            stage.pool,
            lambda unit: publish_draft(
                unit, ACME, KEY, expected=expected, cadence_id=uuid4(), actor="olga", status=status
            ),
        )
    )[0]


async def _discard(stage: Stage, expected: int) -> object:
    return (await run(stage.pool, lambda unit: discard_draft(unit, ACME, KEY, expected=expected, actor="olga")))[0]


async def _draft(stage: Stage) -> Draft | None:
    async with stage.pool.acquire() as connection:
        return await drafts.one(connection, ACME, KEY)
