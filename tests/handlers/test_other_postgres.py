"""The oldest PostgreSQL that the guide allows, and others that are installed: schema and statements are theirs, too."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.postgres import PROGRAMS_VARIABLE, Postgres, major, programs
from cadence_engine.domain.cadence import Wait
from cadence_engine.storage.database import connect
from cadence_engine.storage.migrate import migrate
from tests.handlers.conftest import GREETING, Stage, definition

OLDEST, NEWEST = 15, 18
INSTALLED = [
    folder
    for version in range(OLDEST, NEWEST + 1)
    if (folder := Path(f"/usr/lib/postgresql/{version}/bin")) and (folder / "initdb").exists()
]
PHONE = "+5511999990000"


@pytest_asyncio.fixture(params=INSTALLED, ids=lambda folder: folder.parent.name)
async def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage on a server of that version, with our schema."""
    server = Postgres(tmp_path / "postgres", request.param)
    server.start()
    try:
        await migrate(server.url)
        pool = await connect(server.url, process="test", size=2)
        yield Stage(pool)
        await pool.close()
    finally:
        server.stop()


@pytest.mark.skipif(not INSTALLED, reason="NOT CHECKED: another PostgreSQL. None is below /usr/lib/postgresql.")
async def test_contacts_are_enrolled_sent_to_and_cancelled_there(elsewhere: Stage) -> None:
    await elsewhere.publish(definition(variables=GREETING, waits=[Wait(), Wait(exact=timedelta(hours=1))]))
    for contact in ("ana", "bia"):
        await elsewhere.hears("contact.created", contactId=contact, phone=PHONE)

    ran = await elsewhere.run_due()
    await elsewhere.hears("message.received", contactId="ana")

    assert (ran.claimed, ran.sent) == (2, 2)
    assert await elsewhere.statuses("ana") == ["cancelled"]
    assert await elsewhere.statuses("bia") == ["active"]
    assert [event["type"] for event in await elsewhere.log("cadence.enrollment.cancelled")]


@pytest.mark.parametrize("version", INSTALLED or [programs()], ids=str)
def test_the_environment_names_the_programs(version: Path) -> None:
    chosen = programs({PROGRAMS_VARIABLE: str(version)})

    assert chosen == version
    assert OLDEST <= major(chosen) <= NEWEST


def test_a_folder_without_the_programs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DevstackError, match=f"{PROGRAMS_VARIABLE} is .*, which holds no initdb"):
        programs({PROGRAMS_VARIABLE: str(tmp_path)})
