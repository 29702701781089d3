"""Just enough of Kafka's protocol to see which client asks for what."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from tests.faults.links.ambush import Ambush
from tests.faults.links.frames import Frames, Layout

SIZED: Final = Layout(length_at=0, uncounted=4)


class Api(IntEnum):
    """Those of the protocol's api keys at which tests strike."""

    PRODUCE = 0
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS = 24
    END_TXN = 26


@dataclass(frozen=True, slots=True)
class Request:
    api: int
    client: str


class KafkaWatch:
    """Leads every request of one connection past an ambush."""

    def __init__(self, ambush: Ambush[Request]) -> None:
        self._ambush = ambush
        self._asked, self._answered = Frames(), Frames()
        self._catching: bytes | None = None

    async def forth(self, chunk: bytes) -> AsyncIterator[bytes]:
        self._asked.feed(chunk)
        while message := self._asked.next(SIZED):
            api, correlation = int.from_bytes(message[4:6], "big"), message[8:12]
            client = message[14 : 14 + int.from_bytes(message[12:14], "big", signed=True)].decode()
            if await self._ambush.pass_by(Request(api, client)):
                self._catching = correlation
            yield message

    async def back(self, chunk: bytes) -> AsyncIterator[bytes]:
        self._answered.feed(chunk)
        while message := self._answered.next(SIZED):
            if message[4:8] == self._catching:
                await self._ambush.catch()
            yield message
