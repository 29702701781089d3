"""What the engine is made of is known: each package with its hash in the bill of materials, its licence in the list."""

import json
import re
import subprocess
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.deploy.composition import ROOT
from tests.deploy.supply import BIN, HEAD, LICENCES, LOCK, Denied, licences, locked, names, normalised, rows


def recipe(target: str) -> list[list[str]]:
    """The commands of a target of the Makefile, each as its words."""
    done = subprocess.run(["make", "--dry-run", "--always-make", target], cwd=ROOT, capture_output=True, text=True)
    return [line.split() for line in done.stdout.splitlines()]


def test_the_list_of_licences_is_that_of_the_lock() -> None:
    """Where this fails after a change of the lock: `make licences`."""
    written = LICENCES.read_text()

    assert written.startswith(HEAD)
    assert rows(written) <= locked()
    assert set(names(rows(licences(names(locked()))))) <= set(names(rows(written)))


def test_a_licence_that_asks_for_more_is_refused() -> None:
    with pytest.raises(Denied, match="LGPL"):  # a rival of the benchmark, and in no image
        licences(["psycopg"])


def test_the_bill_of_materials_has_every_package_with_its_hashes(tmp_path: Path) -> None:
    [command] = [words for words in recipe("sbom") if "cyclonedx-py" in words[0]]
    place = command.index("--output-file")
    bill = tmp_path / "sbom.json"

    subprocess.run([*command[: place + 1], str(bill), *command[place + 2 :]], cwd=ROOT, check=True)

    components = json.loads(bill.read_text())["components"]
    assert {(normalised(one["name"]), one["version"]) for one in components} == locked()
    hashes = {made["content"] for one in components for made in one["externalReferences"][0]["hashes"]}
    assert hashes == set(re.findall(r"sha256:([0-9a-f]{64})", LOCK.read_text()))


def test_the_audit_asks_for_every_package_and_does_not_pass_over_one() -> None:
    [command] = [words for words in recipe("audit") if "pip-audit" in words[0]]
    assert "--strict" in command  # else what no service answers for counts as sound

    done = subprocess.run([*command, "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True)

    [asked] = re.findall(r"would have audited (\d+) packages", done.stderr)
    assert int(asked) >= len(rows(LICENCES.read_text()))


def test_the_hooks_run_what_is_pinned() -> None:
    file = ROOT / ".pre-commit-config.yaml"
    subprocess.run([BIN / "pre-commit", "validate-config", file], check=True)

    [local] = YAML(typ="safe").load(file)["repos"]
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        words = hook["entry"].split()
        assert (ROOT / words[0]).exists()
        assert all((ROOT / word).exists() for word in words if word.startswith("tests/"))
        assert all(find_spec(name) for option, name in pairwise(words) if option == "-m")
