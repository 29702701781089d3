"""What publishing definitions would change."""

from collections.abc import Sequence
from dataclasses import dataclass

from cadence_engine.definitions.load import CompanyDefinition
from cadence_engine.storage import cadences, published
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.published import Published


@dataclass(frozen=True, slots=True)
class Comparison:
    """A definition and what stands under its key, None where nothing does. `same`: publishing it changes nothing."""

    proposed: CompanyDefinition
    published: Published | None
    same: bool


async def compare_definitions(connection: Connection, proposed: Sequence[CompanyDefinition]) -> list[Comparison]:
    """Each definition beside the current version of its cadence, in their order. Reads only."""
    found = await published.by_key(connection, {(each.company_id, each.definition.key) for each in proposed})
    return [_compared(each, found.get((each.company_id, each.definition.key))) for each in proposed]


def _compared(proposed: CompanyDefinition, stands: Published | None) -> Comparison:
    return Comparison(proposed, stands, stands is not None and cadences.same(stands.stored, proposed.definition))
