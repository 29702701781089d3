"""What the proxies see does not depend on how the network cuts the stream."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable

import pytest

from tests.faults.links.ambush import Ambush, Moment, Struck
from tests.faults.links.kafka import Api, KafkaWatch, Request
from tests.faults.links.postgres import PostgresWatch, Statement

SIZES = [1, 2, 3, 7, 1000]

STARTUP_BODY = b"\0\3\0\0user\0me\0application_name\0cadence-engine worker\0\0"
ENCRYPT = struct.pack(">II", 8, 80877103)
STARTUP = struct.pack(">I", 4 + len(STARTUP_BODY)) + STARTUP_BODY
SYNC = b"S\0\0\0\4"
READY = b"Z\0\0\0\5I"


def typed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", 4 + len(body)) + body


def query(text: str) -> bytes:
    return typed(b"Q", text.encode() + b"\0")


def prepare(name: bytes, text: bytes) -> bytes:
    return typed(b"P", name + b"\0" + text + b"\0\0\0")


def execute(name: bytes) -> bytes:
    return typed(b"B", b"\0" + name + b"\0\0\0\0\0\0\0") + typed(b"E", b"\0\0\0\0\0") + SYNC


ASKED = (
    ENCRYPT
    + STARTUP
    + prepare(b"one", b"SELECT 1")
    + query("BEGIN;")
    + execute(b"one")
    + query("COMMIT;")
    + execute(b"one")
)
ANSWERED = b"N" + typed(b"R", b"\0\0\0\0") + READY
COMMITTED = typed(b"C", b"COMMIT\0") + READY


async def passed(see: Callable[[bytes], AsyncIterator[bytes]], stream: bytes, size: int) -> bytes:
    """What comes through when the stream comes in pieces of this size; up to the strike, if there is one."""
    through = b""
    try:
        for start in range(0, len(stream), size):
            async for piece in see(stream[start : start + size]):
                through += piece
    except Struck:
        pass
    return through


async def nothing() -> None:
    """A strike that hurts nobody else."""


@pytest.mark.parametrize("size", SIZES)
async def test_statements_are_told_with_their_application_and_transaction(size: int) -> None:
    seen: list[Statement] = []
    ambush: Ambush[Statement] = Ambush()

    def note(statement: Statement) -> bool:
        seen.append(statement)
        return False

    ambush.lay(Moment.BEFORE, note, nothing)
    watch = PostgresWatch(ambush)
    assert await passed(watch.forth, ASKED, size) == ASKED
    assert await passed(watch.back, ANSWERED, size) == ANSWERED
    assert [(each.text, each.before) for each in seen] == [
        ("BEGIN;", ()),
        ("SELECT 1", ("BEGIN;",)),
        ("COMMIT;", ("BEGIN;", "SELECT 1")),
        ("SELECT 1", ()),
    ]
    assert {each.application for each in seen} == {"cadence-engine worker"}


@pytest.mark.parametrize("size", SIZES)
async def test_a_strike_before_keeps_the_statement_back(size: int) -> None:
    ambush: Ambush[Statement] = Ambush()
    ambush.lay(Moment.BEFORE, lambda statement: statement.is_commit, nothing)
    through = await passed(PostgresWatch(ambush).forth, ASKED, size)
    assert through == ASKED[: ASKED.index(query("COMMIT;"))]
    await ambush.struck()


@pytest.mark.parametrize("size", SIZES)
async def test_a_strike_after_keeps_the_answer_back_and_nothing_before_it(size: int) -> None:
    ambush: Ambush[Statement] = Ambush()
    watch = PostgresWatch(ambush)
    opening, commit, _ = ASKED.partition(query("COMMIT;"))
    assert await passed(watch.forth, opening, size) == opening
    assert await passed(watch.back, ANSWERED, size) == ANSWERED
    ambush.lay(Moment.AFTER, lambda statement: statement.is_commit, nothing)
    assert await passed(watch.forth, commit, size) == commit
    assert await passed(watch.back, COMMITTED[:-1], size) == b""
    assert not await has_struck(ambush)
    assert await passed(watch.back, COMMITTED[-1:], size) == b""
    assert await has_struck(ambush)


async def has_struck(ambush: Ambush[Statement]) -> bool:
    try:
        await ambush.struck(within=0.05)
    except TimeoutError:
        return False
    return True


def request(api: Api, correlation: int, client: bytes = b"writer") -> bytes:
    body = struct.pack(">hhih", api, 1, correlation, len(client)) + client + b"more"
    return struct.pack(">i", len(body)) + body


def response(correlation: int) -> bytes:
    body = struct.pack(">i", correlation) + b"fine"
    return struct.pack(">i", len(body)) + body


@pytest.mark.parametrize("size", SIZES)
async def test_the_answer_is_caught_by_its_number_and_nothing_before_it(size: int) -> None:
    ambush: Ambush[Request] = Ambush()
    ambush.lay(Moment.AFTER, lambda request: request == Request(Api.END_TXN, "writer"), nothing)
    watch = KafkaWatch(ambush)
    apis = (Api.PRODUCE, Api.END_TXN, Api.PRODUCE)
    asked = b"".join(request(api, number) for number, api in enumerate(apis))
    assert await passed(watch.forth, asked, size) == asked
    answers = [response(number) for number in range(len(apis))]
    assert await passed(watch.back, b"".join(answers), size) == answers[0]


@pytest.mark.parametrize("size", SIZES)
async def test_what_goes_on_after_a_strike_loses_nothing(size: int) -> None:
    ambush: Ambush[Request] = Ambush()
    ambush.lay(Moment.BEFORE, lambda request: request.api == Api.END_TXN, nothing, goes_on=True)
    asked = request(Api.END_TXN, 1) + request(Api.PRODUCE, 2)
    assert await passed(KafkaWatch(ambush).forth, asked, size) == asked
    await ambush.struck()


async def test_a_strike_goes_on_when_its_connection_is_gone() -> None:
    ambush: Ambush[Request] = Ambush()
    goes_on, is_over = asyncio.Event(), asyncio.Event()

    async def strike() -> None:
        await goes_on.wait()
        is_over.set()

    ambush.lay(Moment.BEFORE, lambda _: True, strike)
    connection = asyncio.create_task(passed(KafkaWatch(ambush).forth, request(Api.PRODUCE, 1), 1000))
    await asyncio.sleep(0)
    connection.cancel()
    await asyncio.wait({connection})
    goes_on.set()
    await ambush.struck()
    assert is_over.is_set()


async def test_an_answer_that_never_comes_leaves_the_ambush_where_it_is() -> None:
    ambush: Ambush[Request] = Ambush()
    ambush.lay(Moment.AFTER, lambda _: True, nothing)
    unanswered, answered = KafkaWatch(ambush), KafkaWatch(ambush)
    await passed(unanswered.forth, request(Api.END_TXN, 1), 1000)
    await passed(answered.forth, request(Api.END_TXN, 1), 1000)
    assert await passed(answered.back, response(1), 1000) == b""
    await ambush.struck()


async def test_a_strike_that_fails_is_told() -> None:
    async def fail() -> None:
        raise LookupError("nobody to strike")

    ambush: Ambush[Request] = Ambush()
    ambush.lay(Moment.BEFORE, lambda _: True, fail)
    with pytest.raises(LookupError):
        await passed(KafkaWatch(ambush).forth, request(Api.PRODUCE, 1), 1000)
    with pytest.raises(LookupError):
        await ambush.struck()
