"""The Helm chart as the real helm renders it."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from tests.deploy.composition import ROOT
from tests.deploy.go_tools import tool

CHART: Final = ROOT / "deploy" / "helm" / "cadence-engine"
EXAMPLES: Final = sorted((ROOT / "deploy" / "helm" / "examples").glob("*.yaml"))
KUBERNETES: Final = "1.37.0"
RELEASE: Final = "cadence-engine"

Resource = dict[str, Any]
Values = Mapping[str, Any]

SMALLEST: Final[Values] = {
    "postgres": {"url": "postgresql://user:word@postgres/cadence"},
    "redis": {"url": "redis://valkey"},
    "kafka": {"bootstrapServers": "kafka:9092"},
}
"""No less is accepted."""


class Refused(Exception):  # noqa: N818  # helm's own words
    """Helm did not render."""


def render(*files: Path, values: Values | None = None) -> str:
    """The manifests of these files of values, and then `values` over them. Raises Refused."""
    done = subprocess.run(
        [
            str(tool("helm")),
            *("template", RELEASE, str(CHART), "--namespace=cadence", f"--kube-version={KUBERNETES}"),
            *(f"--values={path}" for path in files),
            "--values=-",
        ],
        input=json.dumps(values or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def resources(*files: Path, values: Values | None = None) -> list[Resource]:
    """What is rendered, each on its own."""
    loaded: Iterator[Resource | None] = YAML(typ="safe").load_all(render(*files, values=values))
    return [resource for resource in loaded if resource]


def of_kind(kind: str, found: list[Resource]) -> list[Resource]:
    return [resource for resource in found if resource["kind"] == kind]


def part(resource: Resource) -> str:
    """What it belongs to: a process, a job, or what serves all."""
    labels: dict[str, str] = resource["metadata"]["labels"]
    return labels["app.kubernetes.io/component"]


@dataclass(frozen=True)
class Pod:
    """The template of a deployment or a job, which has one container."""

    part: str
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def container(self) -> dict[str, Any]:
        [container] = self.spec["containers"]
        found: dict[str, Any] = container
        return found

    @property
    def mounts(self) -> list[str]:
        return [mount["mountPath"] for mount in self.container["volumeMounts"]]

    def environment(self, secrets: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
        """Its variables as Kubernetes would set them; `secrets` by name, each with its keys."""
        return {variable["name"]: _value(variable, secrets) for variable in self.container["env"]}

    def port(self, name: str) -> int:
        """The number of a named port."""
        [number] = [port["containerPort"] for port in self.container["ports"] if port["name"] == name]
        return int(number)


def _value(variable: Mapping[str, Any], secrets: Mapping[str, Mapping[str, str]]) -> str:
    if "value" in variable:
        return str(variable["value"])
    reference = variable["valueFrom"]["secretKeyRef"]
    return secrets[reference["name"]][reference["key"]]


def pods(found: list[Resource]) -> dict[str, Pod]:
    """The pods of every deployment and job, by their part."""
    return {
        part(resource): Pod(
            part(resource),
            resource["spec"]["template"]["metadata"]["labels"],
            resource["spec"]["template"]["spec"],
        )
        for resource in found
        if resource["kind"] in ("Deployment", "Job")
    }


def secrets(found: list[Resource]) -> dict[str, dict[str, str]]:
    """The Secrets that the chart makes."""
    return {secret["metadata"]["name"]: secret["stringData"] for secret in of_kind("Secret", found)}
