"""Enrolling from a file, as an operator does."""

from pathlib import Path

import orjson

from cadence_engine.storage.connection import Pool
from tests.cli.conftest import Cli, Known
from tests.cli.test_holding import publish

MANY = 2500


def outcomes(out: str) -> list[tuple[int, str]]:
    return [(each["row"], each["outcome"]) for each in map(orjson.loads, out.splitlines())]


async def test_a_file_of_many_pages_is_answered_row_by_row_and_again_the_same(
    cli: Cli, known: Known, pool: Pool, tmp_path: Path
) -> None:
    contacts = [f"c{n:05}" for n in range(MANY)]
    await known(*contacts)
    await publish(pool)
    file = tmp_path / "people.csv"
    file.write_text("contactId,context.product\n" + "".join(f"{each},trial\n" for each in contacts))
    command = ("enroll-many", "greeting", str(file), "--idempotency-key", "monday")
    said = await cli.fine(*command)
    assert outcomes(said.out) == [(n, "created") for n in range(2, MANY + 2)]
    assert said.err == f"{MANY} rows: {MANY} created\n"
    assert (await cli.fine(*command)).out == said.out
    assert await pool.fetchval("SELECT count(*) FROM cadence_enrollments") == MANY


async def test_lines_of_json_on_stdin(cli: Cli, known: Known, pool: Pool) -> None:
    await known("ana")
    await publish(pool)
    said = await cli.fine(
        "enroll-many", "greeting", "-", stdin='{"contactId":"ana"}\n{"contactId":"bia"}\n{"contact":1}'
    )
    assert [orjson.loads(line) for line in said.out.splitlines()[1:]] == [
        {
            "row": 2,
            "contactId": "bia",
            "outcome": "refused",
            "reason": "contact_not_found",
            "detail": "the company has no such contact",
        },
        {
            "row": 3,
            "outcome": "invalid",
            "reason": "unreadable",
            "detail": "row.contactId is missing, and required; row.contact is not known here",
        },
    ]
    first, last = said.err.splitlines()
    assert first.startswith("If this is interrupted, go on with: --idempotency-key ")
    assert last == "3 rows: 1 created, 1 invalid (unreadable), 1 refused (contact_not_found)"


async def test_what_cannot_begin_says_why(cli: Cli, pool: Pool, tmp_path: Path) -> None:
    await publish(pool)
    file = tmp_path / "people.csv"
    file.write_text("name,phone\nAna,+5511999991234\n")
    refused = [
        (("greeting", str(file)), "line 1 must name each column once"),
        (("greeting", str(tmp_path / "none.csv")), "no such file"),
        (("greeting", str(tmp_path)), "a directory, not a file"),
        (("nonsense", "-"), "acme has no cadence `nonsense`; it has greeting"),
    ]
    for arguments, why in refused:
        said = await cli("enroll-many", *arguments, "--idempotency-key", "k", stdin='{"contactId":"ana"}')
        assert (said.code, said.out) == (1, ""), said
        assert why in said.err
        assert "+55" not in said.err
