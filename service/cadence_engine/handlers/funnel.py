"""The funnels of a cadence: how far contacts come in each of its versions, and where they answer."""

from cadence_engine.domain.funnel import Funnel, funnel
from cadence_engine.storage import cadences, counts
from cadence_engine.storage.connection import Connection


async def funnels(connection: Connection, company_id: str, key: str, version: int | None = None) -> list[Funnel] | None:
    """Of every version, the newest first, or of one; empty: there is no such version; None: no such cadence.

    To be called in one snapshot; nothing is locked.
    """
    cadence_id = (await cadences.keys_of(connection, company_id)).get(key)
    if cadence_id is None:
        return None
    numbers = await cadences.numbers_of(connection, company_id, cadence_id)
    wanted = [number for number in numbers if version in (None, number)]
    found = await cadences.versions(connection, [(company_id, cadence_id, number) for number in wanted])
    told = await counts.of_cadence(connection, company_id, cadence_id)
    return [funnel(found[company_id, cadence_id, number], told) for number in wanted]
