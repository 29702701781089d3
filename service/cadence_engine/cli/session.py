"""What a command that works on the database needs: a pool, the policy, a transaction at a time, and clear failures."""

import asyncio
import getpass
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

import asyncpg
import structlog
import typer

from cadence_engine import settings, telemetry
from cadence_engine.bootstrap import policy_of
from cadence_engine.cli.output import Refused, refuse
from cadence_engine.domain.policy import Policy
from cadence_engine.health import Readiness
from cadence_engine.settings import Settings
from cadence_engine.storage import database, schema_version
from cadence_engine.storage.connection import NOT_NOW, Pool
from cadence_engine.storage.database import UnitOfWork

if TYPE_CHECKING:
    from cadence_engine.scheduling.wakeups import Hints

T = TypeVar("T")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "operator"


def external_id(text: str | None) -> str | None:
    """Checks an id that another service gave."""
    if text is not None and not (0 < len(text) <= 200 and text.isprintable()):
        raise typer.BadParameter("an id is 1 to 200 characters, none of them a control character")
    return text


Company = Annotated[
    str,
    typer.Option("--company", envvar="CADENCE_COMPANY", help="Whose cadences.", callback=external_id, show_envvar=True),
]
Contact = Annotated[str, typer.Argument(help="The contact's id at its company.", callback=external_id)]
Key = Annotated[str, typer.Argument(help="The cadence's key.")]
Actor = Annotated[str, typer.Option("--actor", help="Who does this, for the log; you.", default_factory=_user)]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for the log.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


@dataclass(frozen=True, slots=True)
class Session:
    """An open database."""

    policy: Policy
    pool: Pool
    hints: "Hints"

    async def run(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Do `work` in one transaction; when it is committed, hint at what it makes due."""
        answer, wake_at = await database.run(self.pool, work)
        await self.hints.wake(wake_at)  # never raises: without Redis the sweep finds it, a little later
        return answer


def run(main: Callable[[Session], Awaitable[T]]) -> T:
    """Run `main` on the database of the settings. Exits with 1 and a sentence where it is refused or unreachable."""
    loaded = settings.load()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        return asyncio.run(_open(main, loaded))
    except Refused as refused:
        refuse(str(refused))
    except (*NOT_NOW, asyncpg.PostgresError) as error:
        refuse(f"PostgreSQL did not do it: {telemetry.describe(error)}. Nothing after the last line above was done.")


async def _open(main: Callable[[Session], Awaitable[T]], loaded: Settings) -> T:
    from cadence_engine.scheduling.wakeups import Hints  # arq is slow to import, and not every command comes here

    try:
        pool = await database.connect(loaded.database_url.get_secret_value(), process="cli", size=1)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise Refused(f"cannot connect to PostgreSQL, see DATABASE_URL: {telemetry.describe(error)}") from error
    async with pool, Hints(loaded, Readiness()) as hints:
        async with pool.acquire() as connection:
            if await schema_version.lacking(connection):
                raise Refused("the database has no schema, or an old one: run `cadence-engine migrate`")
        return await main(Session(policy_of(loaded), pool, hints))
