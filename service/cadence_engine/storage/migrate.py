"""Brings a database to the newest schema: Alembic, run in this process."""

import asyncio
from pathlib import Path

import stamina
from alembic import command
from alembic.config import Config
from asyncpg import DeadlockDetectedError, LockNotAvailableError
from sqlalchemy.exc import DBAPIError

from cadence_engine.storage.migrations import SCRIPTS

IN_USE = (LockNotAvailableError, DeadlockDetectedError)
GIVE_UP_AFTER = 300.0  # seconds; a table that is in use for as long is not a moment's bad luck


def config(scripts: Path) -> Config:
    """Alembic's, for the migrations in this folder."""
    made = Config()
    made.set_main_option("script_location", str(scripts))
    return made


async def migrate(database_url: str, scripts: Path = SCRIPTS) -> None:
    """Apply every migration that `database_url` lacks. Two at once are harmless: the second waits.

    Those that are applied stay when a later one fails. A table that is in use is asked for again and again, for five
    minutes: then the last refusal is raised, an asyncpg.PostgresError, or a sqlalchemy.exc.DBAPIError around it.
    """
    applying = config(scripts)
    applying.attributes["database_url"] = database_url
    async for attempt in stamina.retry_context(on=_is_in_use, attempts=None, timeout=GIVE_UP_AFTER, wait_max=5.0):
        with attempt:
            await asyncio.to_thread(command.upgrade, applying, "head")


def _is_in_use(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        return getattr(error.orig, "sqlstate", None) in {each.sqlstate for each in IN_USE}
    return isinstance(error, IN_USE)
