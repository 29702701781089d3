"""What deploy/ has for Prometheus and Grafana: the queries in it, and the metrics that these ask for."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML

ROOT: Final = Path(__file__).parent.parent.parent
MONITORING: Final = ROOT / "deploy" / "helm" / "cadence-engine" / "monitoring"
ALERTS: Final = MONITORING / "alerts.yaml"
OF_THE_ALERTS: Final = ROOT / "deploy" / "alerts"
"""Their tests and runbooks."""

METRIC: Final = re.compile(r"\b(?P<name>(?:cadence|process|python)_\w+)(?:\{(?P<matchers>[^}]*)\})?")
LABEL: Final = re.compile(r"(?P<label>\w+)\s*(?:=~|!~|!=|=)\s*[\"']")
GROUPED: Final = re.compile(r"\b(?:by|on|group_left)\s*\((?P<labels>[^)]*)\)")
OF_THE_TARGET: Final = frozenset({"namespace", "instance", "job"})
"""Labels that Prometheus adds to whatever a target shows."""


class Asked(NamedTuple):
    """A metric that a query names, with the labels by which it selects."""

    name: str
    labels: frozenset[str]


def rules() -> list[dict[str, Any]]:
    """Every alerting rule."""
    groups = YAML(typ="safe").load(ALERTS)["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard by its file."""
    return {file.name: json.loads(file.read_text()) for file in sorted(MONITORING.glob("*.json"))}


def queries() -> Iterator[str]:
    """Every query of the alerts and of the dashboards' panels, with Grafana's variables filled in."""
    yield from (rule["expr"] for rule in rules())
    for dashboard in dashboards().values():
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                yield target["expr"].replace("$namespace", ".*").replace("$__rate_interval", "1m")


def asked(query: str) -> set[Asked]:
    """The metrics that a query reads."""
    return {
        Asked(found["name"], frozenset(LABEL.findall(found["matchers"] or "")) - OF_THE_TARGET)
        for found in METRIC.finditer(query)
    }


def grouped_by(query: str) -> set[str]:
    """The labels by which a query groups or joins."""
    labels = (label.strip() for found in GROUPED.finditer(query) for label in found["labels"].split(","))
    return {label for label in labels if label} - OF_THE_TARGET
