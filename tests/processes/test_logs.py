"""Whatever is logged, by whomever, is one JSON object a line and holds nobody's data."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import BaseModel, ValidationError

from cadence_engine.telemetry import describe

SECRET = "+5511987654321"


async def test_postgres_errors_name_the_constraint_but_not_the_row(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    company = "INSERT INTO companies (company_id) VALUES ($1)"
    await connection.execute(company, SECRET)
    said = []
    for statement, value in [(company, SECRET), ("SELECT $1::uuid", SECRET), ("SELECT ($1::text)::int", SECRET + "x")]:
        with pytest.raises(asyncpg.PostgresError) as raised:
            await connection.execute(statement, value)
        assert SECRET in str(raised.value)
        said.append(describe(raised.value))
    await connection.close()
    assert not any(SECRET in one for one in said)
    assert "UniqueViolationError" in said[0]
    assert "companies_pkey" in said[0]


def test_refused_values_are_not_quoted() -> None:
    class Contact(BaseModel):
        phone: int

    with pytest.raises(ValidationError) as refused:
        Contact(phone="not " + SECRET)
    assert describe(refused.value) == "pydantic_core._pydantic_core.ValidationError: Contact: phone: int_parsing"
    assert describe(KeyError(SECRET)) == "KeyError"
    assert describe(ValueError(f"bad {SECRET}")) == "ValueError"


def test_passwords_in_addresses_are_masked() -> None:
    error = OSError("cannot reach redis://user:pass-word@host:6379/0")
    assert describe(error) == "OSError: cannot reach redis://***@host:6379/0"


def test_every_line_is_json_with_an_action_whoever_logs(tmp_path: Path) -> None:
    ours, odd, ours_by_stdlib, library, library_error, ours_error = _logged(
        tmp_path,
        """
        structlog.stdlib.get_logger("cadence_engine.x").info("page_applied", records=3)
        structlog.stdlib.get_logger("cadence_engine.x").info("seeked", offsets={0: 2**70})
        logging.getLogger("cadence_engine.handlers.x").info("step_parked", extra={"enrollment_id": "e-1"})
        logging.getLogger("aiokafka.x").warning("lost %s at %s", "broker 1", "amqp://u:pass-word@h")
        try:
            try:
                int(secret)
            except ValueError as error:
                logging.getLogger("arq.worker").exception("job failed: %s", error)
                raise RuntimeError("cannot go on") from error
        except RuntimeError:
            structlog.stdlib.get_logger("cadence_engine.x").exception("loop_failed", loop="x")
        structlog.stdlib.get_logger("cadence_engine.x").debug("unheard")
        logging.getLogger("aiokafka.x").info("unheard")
        """,
    )
    assert {**ours, "time": ""} == {
        "time": "", "level": "info", "process": "test", "action": "page_applied", "records": 3,
    }  # fmt: skip
    assert odd["offsets"] == {"0": 2**70}
    assert (ours_by_stdlib["action"], ours_by_stdlib["enrollment_id"]) == ("step_parked", "e-1")
    assert (library["action"], library["logger"]) == ("library_message", "aiokafka.x")
    assert library["message"] == "lost broker 1 at amqp://***@h"
    assert (library_error["message"], library_error["error"]) == ("job failed: ValueError", "ValueError")
    assert (ours_error["action"], ours_error["error"]) == ("loop_failed", "RuntimeError: cannot go on")
    assert "ValueError\n" in ours_error["traceback"]
    assert "test_script.py" in ours_error["traceback"]


def test_a_task_that_nobody_awaited_is_told_without_its_values(tmp_path: Path) -> None:
    (line,) = _logged(
        tmp_path,
        """
        async def fail():
            raise ValueError(secret)
        async def main():
            telemetry.log_loop_errors(asyncio.get_running_loop())
            task = asyncio.create_task(fail())
            await asyncio.wait([task])
            del task
            gc.collect()
        asyncio.run(main())
        """,
    )
    assert (line["action"], line["error"]) == ("task_failed", "ValueError")


def _logged(tmp_path: Path, body: str) -> list[dict[str, Any]]:
    """What a process wrote that ran `body`."""
    script = tmp_path / "test_script.py"
    indent = " " * 8
    lines = [line.removeprefix(indent) for line in body.splitlines()]
    start = [
        "import asyncio, gc, logging, structlog",
        "from cadence_engine import telemetry",
        'telemetry.configure("test")',
        f'secret = "x{SECRET}"',
    ]
    script.write_text("\n".join([*start, *lines, ""]))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert SECRET not in done.stdout
    assert "pass-word" not in done.stdout
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]
