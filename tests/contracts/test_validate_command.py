"""`python -m cadence_contracts validate` says what the engine would make of events."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cadence_contracts.__main__ import main
from tests.contracts.samples import EXAMPLES, example


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = main(["validate", *arguments])
    return code, capsys.readouterr().out.splitlines()


def test_a_valid_event(capsys: pytest.CaptureFixture[str]) -> None:
    code, (line,) = run(capsys, str(EXAMPLES / "contact.created/full.json"))

    assert code == 0
    assert line.endswith("full.json: ok, contact.created")


def test_an_array_tells_each_by_its_place(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = example("contact.created/invalid-missing-contact.json")["event"]
    left_out = example("contact.created/ignored-unreadable-fields.json")["event"]
    (tmp_path / "events.json").write_text(json.dumps([example("lead.created/full.json"), bad, left_out]))

    code, lines = run(capsys, str(tmp_path / "events.json"))

    assert code == 1
    assert [line.removeprefix(f"{tmp_path}/") for line in lines] == [
        "events.json[0]: ok, lead.created",
        "events.json[1]: invalid_data: data.contactId is missing, and required",
        "events.json[2]: ok, contact.created (left out: phone, locale, timeZone)",
    ]


def test_one_event_a_line_from_the_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [json.dumps(example("cadence.step.executed/full.json")), "", "{broken"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))

    code, told = run(capsys, "-")

    assert code == 1
    assert told[0] == "stdin:1: ok, cadence.step.executed"
    assert told[1].startswith("stdin:3: not_json: ")


def test_data_alone_and_further_triggers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"companyId": "acme"}')
    assert run(capsys, "--type", "company.updated", str(tmp_path / "data.json"))[0] == 0
    assert run(capsys, "--type", "contact.deleted", str(tmp_path / "data.json"))[0] == 1

    trigger = str(EXAMPLES / "further-trigger/full.json")
    assert run(capsys, "--topic", "quote.requested", trigger)[0] == 0
    assert run(capsys, trigger)[0] == 1
    assert run(capsys, "--topic", "lead.created", str(EXAMPLES / "cadence.step.skipped/full.json"))[0] == 1


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "no-such-file.json"]) == 2
    assert "no-such-file.json" in capsys.readouterr().err


def test_reading_and_writing_needs_pydantic_alone() -> None:
    code = """
import sys
before = set(sys.modules)
import cadence_contracts, cadence_contracts.__main__
loaded = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
print(*sorted(name for name in loaded if not name.startswith("_")))
"""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()

    pydantic_and_its_own = {"annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"}
    assert set(out) <= {"cadence_contracts"} | pydantic_and_its_own
