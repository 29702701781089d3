"""Whether the database has been brought to what this code needs."""

from cadence_engine.storage.connection import Connection
from cadence_engine.storage.migrations import SCRIPTS


def newest_known() -> str:
    """The newest migration that this code brings; they are numbered, so that the greatest is the newest."""
    return max(script.name.partition("_")[0] for script in (SCRIPTS / "versions").glob("[0-9]*_*.py"))


async def lacking(connection: Connection) -> bool:
    """Whether migrations are still to be applied. A newer schema than ours is fine: a rollout is under way."""
    if await connection.fetchval("SELECT to_regclass('alembic_version') IS NULL"):
        return True
    applied = await connection.fetchval("SELECT max(version_num) FROM alembic_version")
    return applied is None or str(applied) < newest_known()
