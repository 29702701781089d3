"""Editing a definition before it is published. Drafts touch nothing that runs.

Whoever edits says from which revision: of two who edit at once the second is refused instead of undoing the first.
"""

from dataclasses import dataclass
from uuid import UUID

from cadence_engine.domain.cadence import CadenceVersion, Definition
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.handlers.apply_definition import Created, NewVersion, Unchanged, current_as, next_version
from cadence_engine.storage import cadences, companies, drafts, published
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.drafts import Draft

NONE = 0
"""The revision that stands for no draft."""


@dataclass(frozen=True, slots=True)
class Saved:
    draft: Draft


@dataclass(frozen=True, slots=True)
class Discarded:
    """It is gone; what is published stays as it is."""

    draft: Draft


@dataclass(frozen=True, slots=True)
class Outdated:
    """It was made from revision `expected`, and `found` (None: no draft) is what there is: look at that first."""

    expected: int
    found: Draft | None

    @property
    def revision(self) -> int:
        """What there is, as a number."""
        return self.found.revision if self.found else NONE


@dataclass(frozen=True, slots=True)
class NoDraft:
    """Nothing is being edited under that key: nothing was saved, or it was published or discarded."""


@dataclass(frozen=True, slots=True)
class Overtaken:
    """Another version was published since the draft was begun; publishing the draft would undo it unseen."""

    draft: Draft
    current: int


async def save_draft(
    unit: UnitOfWork, company_id: str, definition: Definition, *, expected: int, actor: str
) -> Saved | Outdated:
    """Keep `definition` as the draft under its key, made from revision `expected` (NONE: from no draft)."""
    await companies.ensure(unit.connection, [company_id])
    draft = await drafts.claim(unit.connection, company_id, definition.key, actor)
    if outdated := _outdated(draft, expected):
        return outdated
    based_on = draft.based_on if draft else await _current(unit.connection, company_id, definition.key)
    return Saved(await drafts.write(unit.connection, company_id, definition, based_on=based_on, actor=actor))


async def discard_draft(
    unit: UnitOfWork, company_id: str, key: str, *, expected: int, actor: str
) -> Discarded | NoDraft | Outdated:
    """Throw the draft away."""
    draft = await drafts.lock(unit.connection, company_id, key)
    if draft is None:
        return NoDraft()
    if outdated := _outdated(draft, expected):
        return outdated
    await drafts.close(unit.connection, draft, actor)
    return Discarded(draft)


async def publish_draft(
    unit: UnitOfWork,
    company_id: str,
    key: str,
    *,
    expected: int,
    cadence_id: UUID,
    actor: str,
    status: CadenceStatus = CadenceStatus.ACTIVE,
) -> Created | NewVersion | Unchanged | NoDraft | Outdated | Overtaken:
    """Make the draft a version. `cadence_id` and `status` are for the cadence that it makes, if its key is new."""
    draft = await drafts.lock(unit.connection, company_id, key)
    if draft is None:
        return NoDraft()
    if outdated := _outdated(draft, expected):
        return outdated
    first = CadenceVersion(company_id, cadence_id, 1, draft.definition)
    outcome = await _publish(unit.connection, draft, first, actor, status)
    if not isinstance(outcome, Overtaken):
        await drafts.close(unit.connection, draft, actor)
    return outcome


async def _publish(
    connection: Connection, draft: Draft, first: CadenceVersion, actor: str, status: CadenceStatus
) -> Created | NewVersion | Unchanged | Overtaken:
    if draft.based_on is None and await cadences.create(connection, first, actor, status=status):
        return Created(first, status)
    cadence = await cadences.lock(connection, draft.company_id, draft.key)
    if cadence is None:
        raise LookupError(f"cadence {draft.key} vanished: cadences are never deleted")
    if unchanged := await current_as(connection, cadence, draft.definition):
        return unchanged
    if cadence.current_version != draft.based_on:
        return Overtaken(draft, cadence.current_version)
    return await next_version(connection, cadence, draft.definition, actor)


def _outdated(draft: Draft | None, expected: int) -> Outdated | None:
    revision = draft.revision if draft else NONE
    return None if revision == expected else Outdated(expected, draft)


async def _current(connection: Connection, company_id: str, key: str) -> int | None:
    found = (await published.by_key(connection, [(company_id, key)])).get((company_id, key))
    return found.version if found else None
