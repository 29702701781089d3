"""Just enough of PostgreSQL's protocol to see which process runs which statement, in which transaction."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy.engine import make_url

from tests.faults.links.ambush import Ambush
from tests.faults.links.frames import Frames, Layout

OPENING: Final = Layout(length_at=0, uncounted=0)
"""The first message of a client has no type."""
TYPED: Final = Layout(length_at=1, uncounted=1)
PROTOCOL_3: Final = 3
QUERY, PARSE, BIND, READY = b"Q", b"P", b"B", b"Z"


def port_of(database_url: str) -> int:
    port = make_url(database_url).port
    assert port is not None
    return port


def through(port: int, database_url: str) -> str:
    """The same database at the end of a link."""
    return make_url(database_url).set(port=port).render_as_string(hide_password=False)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that a client asks for."""

    application: str
    """`application_name` of its connection."""
    text: str
    before: tuple[str, ...]
    """Those that ran before it in the same transaction, from BEGIN on; empty outside of one."""

    @property
    def is_commit(self) -> bool:
        return self.text.startswith("COMMIT")

    def follows(self, part: str) -> bool:
        """Whether a statement that contains this ran before it in its transaction."""
        return any(part in text for text in self.before)


class PostgresWatch:
    """Leads every statement of one unencrypted connection past an ambush."""

    def __init__(self, ambush: Ambush[Statement]) -> None:
        self._ambush = ambush
        self._asked, self._answered = Frames(), Frames()
        self._opened = False
        self._bare_answers = 0
        self._application = ""
        self._prepared: dict[bytes, str] = {}
        self._transaction: tuple[str, ...] = ()
        self._catching = False

    async def forth(self, chunk: bytes) -> AsyncIterator[bytes]:
        self._asked.feed(chunk)
        while message := self._asked.next(TYPED if self._opened else OPENING):
            if self._opened:
                await self._look_at(message)
            else:
                self._open(message)
            yield message

    async def back(self, chunk: bytes) -> AsyncIterator[bytes]:
        self._answered.feed(chunk)
        while message := self._answered.take(1) if self._bare_answers else self._answered.next(TYPED):
            if self._bare_answers:
                self._bare_answers -= 1
            elif self._catching:
                if message.startswith(READY):
                    await self._ambush.catch()
                continue
            yield message

    def _open(self, message: bytes) -> None:
        if int.from_bytes(message[4:6], "big") != PROTOCOL_3:  # asks for encryption: answered by a byte that says no
            self._bare_answers += 1
            return
        self._opened = True
        words = message[8:].split(b"\0")
        self._application = dict(zip(words[::2], words[1::2], strict=False)).get(b"application_name", b"").decode()

    async def _look_at(self, message: bytes) -> None:
        kind, content = message[:1], message[5:]
        if kind == PARSE:
            name, text, _ = content.split(b"\0", 2)
            self._prepared[name] = text.decode()
        elif kind == QUERY:
            await self._run(content.rstrip(b"\0").decode())
        elif kind == BIND:
            _, name, _ = content.split(b"\0", 2)
            await self._run(self._prepared[name])

    async def _run(self, text: str) -> None:
        statement = Statement(self._application, text, self._transaction)
        if text.startswith("BEGIN") or self._transaction:
            self._transaction = (*self._transaction, text)
        if text.startswith(("COMMIT", "ROLLBACK")):
            self._transaction = ()
        self._catching = await self._ambush.pass_by(statement)
