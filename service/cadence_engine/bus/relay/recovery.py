"""What mark and database say together: the one place that decides whether to go on, to catch up or to stop."""

from dataclasses import dataclass

from cadence_engine.bus.relay.batches import digest, read
from cadence_engine.bus.relay.errors import HistoryMismatch
from cadence_engine.bus.relay.mark import Mark
from cadence_engine.storage import relay as storage
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.relay import State


class MarkMoved(Exception):  # noqa: N818  # it names what was found
    """Another relay was quicker: look again."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Both tell the same: go on from this mark."""

    mark: Mark


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Kafka has committed this transaction, and the crash came before the database knew."""

    mark: Mark


async def examine(connection: Connection, mark: Mark | None) -> Settled | Unconfirmed:
    """Changes nothing. Raises HistoryMismatch where neither a crash nor a new installation explains what is found."""
    state = await storage.state(connection)
    found = _compare(mark, state)
    match found:
        case Settled() if mark is None and await storage.anything_published(connection):
            raise HistoryMismatch("neither Kafka nor the database has a mark, but the log holds published batches")
        case Unconfirmed(ahead):
            batches = await read(connection, await storage.lock_named(connection, ahead.batch_ids))
            if digest(state.last_digest, batches) != ahead.digest:
                await _explain(connection, ahead)
    return found


async def settle(connection: Connection, mark: Mark | None) -> Mark:
    """Bring the database up to the mark that Kafka holds; the mark to go on from.

    Raises HistoryMismatch where they do not belong together, MarkMoved where another relay was quicker.
    """
    async with connection.transaction():
        found = await examine(connection, mark)
        if isinstance(found, Unconfirmed):
            await confirm(connection, found.mark)
    return found.mark


async def confirm(connection: Connection, mark: Mark) -> None:
    """Write down that Kafka has committed this mark. Raises MarkMoved."""
    published = await storage.set_published(connection, mark.batch_ids)
    moved = await storage.advance(connection, mark.number, mark.digest, mark.batch_ids)
    if published != len(mark.batch_ids) or not moved:
        raise MarkMoved(f"mark {mark.number}: {published} of {len(mark.batch_ids)} batches were unpublished")


def _compare(mark: Mark | None, state: State) -> Settled | Unconfirmed:
    if mark is None and state.last_mark:
        raise HistoryMismatch(
            f"Kafka has no mark, the database's is {state.last_mark} (a mark expires when no relay runs for as long as "
            "offsets.retention.minutes, 7 days by default: then trust the database)"
        )
    if mark is None:
        return Settled(Mark(0, state.last_digest))
    if mark.number == state.last_mark + 1:
        return Unconfirmed(mark)
    if mark.number != state.last_mark:
        raise HistoryMismatch(f"Kafka's mark is {mark.number}, the database's {state.last_mark}")
    if mark.digest != state.last_digest:
        raise HistoryMismatch(f"Kafka's and the database's mark are both {mark.number}, but of different events")
    return Settled(mark)


async def _explain(connection: Connection, ahead: Mark) -> None:
    if (await storage.state(connection)).last_mark == ahead.number:
        raise MarkMoved(f"mark {ahead.number} was confirmed meanwhile")
    raise HistoryMismatch(
        f"Kafka's mark {ahead.number} is one ahead of the database's, but of events that the database does not hold"
    )
