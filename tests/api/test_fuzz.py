"""schemathesis against the served document: no 5xx, and no answer that the document does not know."""

import asyncio
import os
import sys
from pathlib import Path

from tests.api.conftest import Api

SECONDS = 25
CONFIGURATION = f"""
seed = 1
headers = {{ Authorization = "Bearer ${{KEY}}" }}

[generation]
max-examples = 15
allow-x00 = false   # the client itself cannot send some of these

[phases]
coverage.enabled = true
stateful.enabled = false

[checks]
positive_data_acceptance.enabled = false  # rules beyond a schema: a zone that exists, a cadence that does
max_response_time = {SECONDS}
"""


async def test_nothing_that_is_sent_makes_it_fail_or_answer_what_is_not_documented(api: Api, tmp_path: Path) -> None:
    key = await api.key()
    await api.published(key)
    await api.known("ana")
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{api.url}/openapi.json", "--max-time", str(SECONDS)),
        cwd=tmp_path,
        env={**os.environ, "KEY": key, "NO_COLOR": "1", "COLUMNS": "100"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
