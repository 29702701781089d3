"""What the leading relay does with one producer: transaction after transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from cadence_engine.bus.relay.batches import digest, lock_next
from cadence_engine.bus.relay.mark import Mark
from cadence_engine.bus.relay.points import OnPoint, Point
from cadence_engine.bus.relay.publisher import Publisher
from cadence_engine.bus.relay.records import outgoing
from cadence_engine.bus.relay.recovery import confirm
from cadence_engine.bus.relay.traced import traced
from cadence_engine.metrics import publishing
from cadence_engine.storage.connection import Connection


@dataclass(slots=True)
class Term:
    """From a settled `mark` and a started publisher to the first doubt; `limits` are each topic's largest record."""

    connection: Connection
    publisher: Publisher
    limits: Mapping[str, int]
    on_point: OnPoint
    mark: Mark

    async def publish_next(self, at_most: int) -> int:
        """Publish up to so many batches in one transaction; how many it were.

        Any exception leaves the outcome unknown: only a new term can tell.
        """
        began = monotonic()
        async with self.connection.transaction():
            portion = await lock_next(self.connection, at_most)
            if not portion.batches:
                return 0
            await self.on_point(Point.BATCHES_READ)
            mark = Mark(self.mark.number + 1, digest(self.mark.digest, portion.batches), portion.batch_ids)
            async with traced(self.connection, portion) as contexts:
                records = outgoing(portion.events, portion.letters, self.limits, contexts)
                await self.publisher.publish(records, mark, self.on_point)
            await confirm(self.connection, mark)
            await self.on_point(Point.BEFORE_DATABASE_COMMIT)
        self.mark = mark
        publishing.committed(portion.events, monotonic() - began)
        await self.on_point(Point.AFTER_DATABASE_COMMIT)
        return len(portion.batches)

    async def repeat_mark(self) -> None:
        """Keep the mark from expiring; before the first transaction there is none."""
        if self.mark.number:
            await self.publisher.repeat(self.mark)
