"""Brings a database to the newest schema: Alembic, run in this process."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config

SCRIPTS = Path(__file__).parent / "migrations"


async def migrate(database_url: str) -> None:
    """Apply every migration that `database_url` lacks. Two at once are harmless: the second waits."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["database_url"] = database_url
    await asyncio.to_thread(command.upgrade, config, "head")
