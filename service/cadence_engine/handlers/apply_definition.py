"""Publishing what a team wrote: a new cadence, a new version of one, or nothing new."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cadence_engine.domain.cadence import CadenceVersion, Definition
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.storage import cadences, companies
from cadence_engine.storage.cadences import Cadence
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.database import UnitOfWork


@dataclass(frozen=True, slots=True)
class Proposed:
    """A definition for a company; `cadence_id` is for the cadence that it makes, if its key is new."""

    company_id: str
    definition: Definition
    cadence_id: UUID


@dataclass(frozen=True, slots=True)
class Created:
    """A new cadence, version 1."""

    version: CadenceVersion
    status: CadenceStatus = CadenceStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class NewVersion:
    """The definition differed: who enters from now on takes this version, those in flight stay on theirs."""

    version: CadenceVersion
    status: CadenceStatus


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The current version says the same."""

    version: CadenceVersion
    status: CadenceStatus


Outcome = Created | NewVersion | Unchanged


async def apply_definitions(unit: UnitOfWork, proposed: Sequence[Proposed], actor: str) -> list[Outcome]:
    """Publish all, or with the first error none; outcomes in the order of `proposed`, whose keys differ.

    Safe beside others that publish the same keys: one makes the version, the others find it.
    """
    await companies.ensure(unit.connection, {each.company_id for each in proposed})
    outcomes: dict[tuple[str, str], Outcome] = {}
    for each in sorted(proposed, key=_key):
        outcomes[_key(each)] = await _apply(unit.connection, each, actor)
    return [outcomes[_key(each)] for each in proposed]


async def _apply(connection: Connection, proposed: Proposed, actor: str) -> Outcome:
    first = CadenceVersion(proposed.company_id, proposed.cadence_id, 1, proposed.definition)
    if await cadences.create(connection, first, actor):
        return Created(first)
    cadence = await cadences.lock(connection, proposed.company_id, proposed.definition.key)
    if cadence is None:
        raise LookupError(f"cadence {proposed.definition.key} vanished while it was locked: cadences are never deleted")
    return await current_as(connection, cadence, proposed.definition) or await next_version(
        connection, cadence, proposed.definition, actor
    )


async def current_as(connection: Connection, cadence: Cadence, definition: Definition) -> Unchanged | None:
    """The current version of a locked cadence, if it says the same."""
    if not cadences.same(await cadences.definition_of(connection, cadence.version_key), definition):
        return None
    return Unchanged(CadenceVersion(*cadence.version_key, definition), cadence.status)


async def next_version(connection: Connection, cadence: Cadence, definition: Definition, actor: str) -> NewVersion:
    """Publish over the current version of a locked cadence, whose status stays."""
    version = CadenceVersion(cadence.company_id, cadence.cadence_id, cadence.current_version + 1, definition)
    await cadences.publish(connection, version, actor)
    return NewVersion(version, cadence.status)


def _key(proposed: Proposed) -> tuple[str, str]:
    return proposed.company_id, proposed.definition.key
