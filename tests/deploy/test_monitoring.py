"""Alerts fire when they should, and every panel and alert asks for something that can be answered."""

import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.deploy.composition import document, of_the_engine, services
from tests.deploy.go_tools import MODULES, GoMissing, tool
from tests.deploy.monitoring import ALERTS, MONITORING, OF_THE_ALERTS, ROOT, asked, dashboards, queries, rules

each_rule = pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
each_dashboard = pytest.mark.parametrize("dashboard", dashboards().values(), ids=list(dashboards()))

TOO_LATE = re.compile(r"> 60\n")


@pytest.fixture(scope="module")
def checker() -> Path:
    try:
        return tool("promtool")
    except GoMissing as missing:
        pytest.skip(str(missing))


def run(checker: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([checker, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.timeout(1300)  # the first time promtool is built
def test_the_alerts_do_what_their_own_tests_say(checker: Path) -> None:
    done = run(checker, "check", "rules", "--lint=all", "--lint-fatal", str(ALERTS))
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(checker, "test", "rules", str(OF_THE_ALERTS / "cadence-engine.test.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(1300)
def test_an_alert_that_is_wrong_is_seen(checker: Path, tmp_path: Path) -> None:
    alerts, tests = (tmp_path / file.relative_to(ROOT) for file in (ALERTS, OF_THE_ALERTS / "cadence-engine.test.yaml"))
    alerts.parent.mkdir(parents=True)
    shutil.copytree(OF_THE_ALERTS, tests.parent)
    written = ALERTS.read_text()
    assert len(TOO_LATE.findall(written)) == 1
    alerts.write_text(TOO_LATE.sub("> 600\n", written))

    done = run(checker, "test", "rules", str(tests))

    assert done.returncode != 0
    assert "CadenceNothingIsSent" in done.stdout + done.stderr


@pytest.mark.timeout(1300)
def test_every_query_can_be_read(checker: Path, tmp_path: Path) -> None:
    recorded = [{"record": f"query:{place}", "expr": query} for place, query in enumerate(queries())]
    YAML().dump({"groups": [{"name": "all", "rules": recorded}]}, tmp_path / "queries.yaml")
    done = run(checker, "check", "rules", "--lint=none", str(tmp_path / "queries.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(recorded)} rules found" in done.stdout


def test_every_query_asks_for_something() -> None:
    assert [query for query in queries() if not asked(query)] == []


@each_rule
def test_an_alert_has_a_runbook_and_a_test(rule: dict[str, Any]) -> None:
    headings = re.findall(r"^## (\w+)$", (OF_THE_ALERTS / "README.md").read_text(), re.MULTILINE)
    file, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert file == "deploy/alerts/README.md"
    assert anchor in {heading.lower() for heading in headings}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}

    tests = YAML(typ="safe").load(OF_THE_ALERTS / "cadence-engine.test.yaml")["tests"]
    fired = {each["alertname"] for test in tests for each in test.get("alert_rule_test", []) if each.get("exp_alerts")}
    assert rule["alert"] in fired


@pytest.mark.timeout(1300)
def test_prometheus_takes_its_configuration(checker: Path) -> None:
    done = run(checker, "check", "config", "--syntax-only", str(ROOT / "deploy" / "prometheus" / "prometheus.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_asks_every_process_that_compose_runs() -> None:
    [scraped] = YAML(typ="safe").load(ROOT / "deploy" / "prometheus" / "prometheus.yaml")["scrape_configs"]
    [found] = scraped["dns_sd_configs"]
    staying = {name for name, service in of_the_engine().items() if service["restart"] != "no"}
    assert set(found["names"]) == staying
    for name in staying:
        environment = of_the_engine()[name]["environment"]
        assert (environment["CADENCE_HEALTH_HOST"], environment["CADENCE_HEALTH_PORT"]) == (
            "0.0.0.0",  # noqa: S104  # within compose's own network
            str(found["port"]),
        )


def test_what_compose_mounts_is_where_it_is_looked_for() -> None:
    files = {name: each["file"] for name, each in document()["configs"].items()}
    mounted = {}
    for name in ("prometheus", "grafana"):
        for config in services()[name]["configs"]:
            assert (ROOT / files[config["source"]]).is_file()
            mounted[config["target"]] = config["source"]
    assert mounted.keys() >= set(YAML(typ="safe").load(ROOT / files["prometheus"])["rule_files"])
    [provider] = YAML(typ="safe").load(ROOT / files["dashboards"])["providers"]
    home = services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert mounted[home] == "dashboard"
    assert str(Path(home).parent) == provider["options"]["path"]
    [source] = YAML(typ="safe").load(ROOT / files["datasources"])["datasources"]
    assert source["url"] == "http://prometheus:9090"


def test_the_checker_is_of_the_version_that_compose_runs() -> None:
    _, tag = services()["prometheus"]["image"].split(":v")
    major, minor, patch = tag.split(".")
    assert (
        f"github.com/prometheus/prometheus v0.{major}{int(minor):02}.{patch}"
        in (MODULES / "promtool" / "go.mod").read_text()
    )


@each_dashboard
def test_a_dashboard_is_sound(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for one, other in combinations((panel["gridPos"] for panel in panels), 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above, (one, other)
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    for panel in panels:
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == "${datasource}", panel["title"]
            used = set(re.findall(r"\$(\w+)", target["expr"]))
            assert used <= {*variables, "__rate_interval"}, panel["title"]


def test_a_dashboard_holds_no_address_or_name_of_whoever_made_it() -> None:
    for file in MONITORING.glob("*.json"):
        assert not re.search(r"https?://|\"(createdBy|updatedBy|login|email)\"", file.read_text())
