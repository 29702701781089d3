"""Moving a cadence's enrollments until they fit its status, with a bar to look at."""

from cadence_engine.cli.output import Refused
from cadence_engine.cli.progress import bar
from cadence_engine.cli.session import Session
from cadence_engine.handlers.cadence_status import Moved, move_unsettled
from cadence_engine.storage import holding
from cadence_engine.storage.cadences import Cadence
from cadence_engine.storage.database import UnitOfWork

ROWS_AT_ONCE = 1000


async def settle(opened: Session, cadence: Cadence) -> int:
    """Move all that do not fit; answers how many. Interrupted, the flag holds and a worker finishes the move."""
    total = await opened.run(lambda unit: holding.count_misfits(unit.connection, cadence))
    after: str | None = None
    moved_rows = 0
    with bar() as shown:
        task = shown.add_task(f"{cadence.key}: {cadence.status}", total=total)
        while True:

            async def move(unit: UnitOfWork, behind: str | None = after) -> Moved | None:
                return await move_unsettled(unit, ROWS_AT_ONCE, cadence=cadence, after=behind)

            moved = await opened.run(move)
            if moved is None or moved.settled:
                return moved_rows
            if moved.superseded:
                raise Refused(f"{cadence.key}: the status was set again meanwhile: look at `cadence-engine list`")
            after = moved.after
            moved_rows += moved.rows
            shown.advance(task, moved.rows)
