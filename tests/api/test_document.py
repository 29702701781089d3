"""The document that is served, committed and shown as a page."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cadence_engine.api import generate
from cadence_engine.api.app import ALL
from cadence_engine.api.openapi import document
from cadence_engine.api.problems import KINDS
from tests.api.conftest import Api


def test_what_is_committed_is_what_the_routes_say() -> None:
    assert generate.FILE.read_text() == generate.generated(), f"run {generate.COMMAND}"


def test_drift_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "FILE", tmp_path / "openapi.yaml")
    assert generate.main(["--check"]) == 1
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
    (tmp_path / "openapi.yaml").write_text(generate.generated() + "x: y\n")
    assert generate.main(["--check"]) == 1


def test_the_command_is_there() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cadence_engine.api.generate", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_operation_is_documented_and_named_once() -> None:
    operations = [operation for operations in ALL for operation in operations]
    assert len({operation.name for operation in operations}) == len(operations)
    for operation in operations:
        assert operation.summary.endswith((".", "?")), operation.name


def test_the_yaml_means_what_is_served() -> None:
    assert YAML(typ="safe").load(generate.FILE.read_text()) == document(ALL)


async def test_it_is_served_with_a_page_that_fetches_nothing(api: Api) -> None:
    assert (await api("GET", "/openapi.json")).fine() == document(ALL)
    said = await api("GET", "/docs")
    page = said.fine()
    assert said.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not re.findall(r"<script|src=|@import|url\(|href=\"http", page)
    assert said.headers["Content-Security-Policy"].startswith("default-src 'none'")
    for operations in ALL:
        for operation in operations:
            assert f'id="{operation.name}"' in page
    for code in KINDS:
        assert f'id="problem-{code}"' in page
    assert 'href="#schema-EnrollAsked"' in page, "what to send is told beside the route that takes it"
    assert "A row a line" in page
    assert "Idempotency-Key: ${IDEMPOTENCY_KEY:?}" in page
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors
