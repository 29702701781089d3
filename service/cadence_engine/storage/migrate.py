"""Brings a database to the newest schema: Alembic, run in this process."""

import asyncio

from alembic import command
from alembic.config import Config

from cadence_engine.storage.migrations import SCRIPTS


async def migrate(database_url: str) -> None:
    """Apply every migration that `database_url` lacks. Two at once are harmless: the second waits."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["database_url"] = database_url
    await asyncio.to_thread(command.upgrade, config, "head")
