"""What the chart renders fits Kubernetes, the engine that it starts, and itself; what cannot work is refused."""

import copy
import gzip
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from cadence_engine.bus import topics
from cadence_engine.cli.app import app
from cadence_engine.cli.environment import variable_of
from cadence_engine.settings import Settings
from cadence_engine.tracing.exporting import ENDPOINTS
from tests.deploy.chart import (
    CHART,
    EXAMPLES,
    KUBERNETES,
    SMALLEST,
    Pod,
    Refused,
    Resource,
    Values,
    of_kind,
    part,
    pods,
    render,
    resources,
)
from tests.deploy.composition import ROOT, document
from tests.deploy.go_tools import tool

pytestmark = [pytest.mark.timeout(1200), pytest.mark.usefixtures("go_tools")]  # the first run builds the tools

SCHEMAS = Path(__file__).parent / "kubernetes-schemas"
BY_NAME = {path.stem: path for path in EXAMPLES}
SETTINGS = {variable_of(name, field): name for name, field in Settings.model_fields.items()}
BY_OTHER_VALUES = {
    "CADENCE_HEALTH_HOST",
    "CADENCE_HEALTH_PORT",
    "CADENCE_API_HOST",
    "CADENCE_API_PORT",
    "CADENCE_TOPIC_PREFIX",
    "CADENCE_TRIGGER_TOPICS",
    "CADENCE_INSTANCE",  # must differ by replica, and pods of a deployment have no lasting name
}
OF_SECRETS = {"DATABASE_URL": "postgresql://a:b@c/d", "REDIS_URL": "rediss://a", "KAFKA_SASL_PASSWORD": "word"}
ENDS_WITHIN = 10  # seconds that a process takes at most: bootstrap.STOP_WITHIN and what follows

each_example = pytest.mark.parametrize("example", BY_NAME.values(), ids=list(BY_NAME))


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    for packed in SCHEMAS.glob("*.gz"):
        (folder / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


def complaints(manifests: str, schemas: Path) -> list[str]:
    done = subprocess.run(
        [
            *(str(tool("kubeconform")), "-strict", "-output=json", f"-kubernetes-version={KUBERNETES}"),
            f"-schema-location={schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
        ],
        input=manifests,
        capture_output=True,
        text=True,
        check=False,
    )
    said = json.loads(done.stdout)
    return [f"{one['kind']} {one['name']}: {one['msg']}" for one in said["resources"]]


@each_example
def test_it_fits_the_schemas_of_kubernetes_and_of_the_custom_resources(example: Path, schemas: Path) -> None:
    assert complaints(render(example), schemas) == []


@pytest.mark.parametrize(
    "kind", ["Deployment", "Job", "NetworkPolicy", "ScaledObject", "ServiceMonitor", "PrometheusRule", "KafkaTopic"]
)
def test_the_schemas_see_a_mistake(kind: str, schemas: Path) -> None:
    found = resources(BY_NAME["production"]) + resources(BY_NAME["strimzi"])
    mistaken = copy.deepcopy(of_kind(kind, found)[0])
    mistaken["spec"]["mistake"] = 1
    text = io.StringIO()
    YAML(typ="safe").dump(mistaken, text)

    [complaint] = complaints(text.getvalue(), schemas)

    assert "mistake" in complaint


@each_example
def test_its_commands_exist(example: Path) -> None:
    for pod in pods(resources(example)).values():
        arguments = pod.container["args"]
        assert CliRunner().invoke(app, [*arguments, "--help"]).exit_code == 0
        assert CliRunner().invoke(app, [*arguments[:-1], "--no-such-option"]).exit_code != 0


def test_it_starts_every_process() -> None:
    assert set(pods(resources(values=SMALLEST))) == {"migrate", "topics", "consumer", "worker", "relay", "api"}


@each_example
def test_its_variables_are_settings_that_the_engine_takes(
    example: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for pod in pods(resources(example)).values():
        rendered = pod.container["env"]
        names = [variable["name"] for variable in rendered]
        assert len(names) == len(set(names)), f"{pod.part}: a variable twice"
        assert set(names) <= {*SETTINGS, *ENDPOINTS}
        with monkeypatch.context() as patch:
            for variable in SETTINGS:
                patch.delenv(variable, raising=False)
            for variable in rendered:
                value = variable.get("value", OF_SECRETS.get(variable["name"]))
                patch.setenv(variable["name"], _mounted(value, pod.mounts, tmp_path))
            assert Settings().model_fields_set == {SETTINGS[name] for name in names if name in SETTINGS}


def _mounted(value: str, mounts: list[str], directory: Path) -> str:
    """Where it is a file in one of the mounts, a file that is there."""
    if not any(value.startswith(f"{mount}/") for mount in mounts):
        return value
    (directory / "file").touch()
    return str(directory / "file")


def test_the_schema_knows_every_setting_that_no_other_value_sets() -> None:
    """Where this fails after a change of settings.py, values.schema.json is to be changed alike."""
    schema = json.loads((CHART / "values.schema.json").read_text())["definitions"]["settings"]["properties"]
    expected = {name for name in SETTINGS if name.startswith("CADENCE_")} - BY_OTHER_VALUES

    assert set(schema) == expected
    for name in expected:
        assert schema[name].get("description") == Settings.model_fields[SETTINGS[name]].description, name


def test_a_number_reaches_the_engine_as_it_was_written() -> None:
    values = {**SMALLEST, "settings": {"CADENCE_API_BODY_BYTES": 20_000_000, "CADENCE_GATE_MAX_LAG": 2.5}}
    environment = pods(resources(values=values))["api"].environment({"cadence-engine-servers": OF_SECRETS})

    assert environment["CADENCE_API_BODY_BYTES"] == "20000000"
    assert environment["CADENCE_GATE_MAX_LAG"] == "2.5"


def test_a_process_may_differ_from_the_others() -> None:
    values = {**SMALLEST, "settings": {"CADENCE_POOL_SIZE": 4}, "worker": {"settings": {"CADENCE_POOL_SIZE": 9}}}
    found = pods(resources(values=values))

    sizes = {
        name: found[name].environment({"cadence-engine-servers": OF_SECRETS})["CADENCE_POOL_SIZE"] for name in found
    }
    assert sizes == {**dict.fromkeys(found, "4"), "worker": "9"}


@each_example
def test_its_pods_are_of_the_restricted_kind(example: Path) -> None:
    for pod in pods(resources(example)).values():
        assert pod.spec["securityContext"]["runAsNonRoot"] is True
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["enableServiceLinks"] is False
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod.spec)
        assert {next(iter(set(volume) - {"name"})) for volume in pod.spec["volumes"]} <= {"emptyDir", "secret"}
        assert pod.container["resources"]["limits"]["memory"]
        assert pod.container["resources"]["requests"]["cpu"]


@each_example
def test_each_process_has_time_to_end_and_probes_that_find_it(example: Path) -> None:
    for resource in of_kind("Deployment", resources(example)):
        pod = pods([resource])[part(resource)]
        pause = pod.container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pod.spec["terminationGracePeriodSeconds"] > pause + ENDS_WITHIN
        probes = {name: pod.container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
        assert {probe["port"] for probe in probes.values()} == {"health"}
        assert [probe["path"] for probe in probes.values()] == ["/health/live", "/health/live", "/health/ready"]
        [port] = [one["value"] for one in pod.container["env"] if one["name"] == "CADENCE_HEALTH_PORT"]
        assert int(port) == pod.port("health")


@each_example
def test_each_has_a_name_of_its_own(example: Path) -> None:
    names = [(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]) for one in resources(example)]

    assert sorted(set(names)) == sorted(names)


@each_example
def test_whatever_selects_selects_its_own_pods(example: Path) -> None:
    found = resources(example)
    every = pods(found)
    for resource in found:
        selector = _selector(resource)
        if selector is not None:
            selected = {pod.part for pod in every.values() if selector.items() <= pod.labels.items()}
            expected = set(every) if part(resource) == "metrics" else {part(resource)}
            assert selected == expected, resource["kind"]


@each_example
def test_replicas_are_spread_over_nodes_and_zones_and_drained_one_at_a_time(example: Path) -> None:
    found = resources(example)
    for pod in pods(of_kind("Deployment", found)).values():
        spread = pod.spec["topologySpreadConstraints"]
        assert [one["topologyKey"] for one in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
        for one in spread:
            assert one["labelSelector"]["matchLabels"].items() <= pod.labels.items()
            assert one["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == pod.part
    budgets = of_kind("PodDisruptionBudget", found)
    if example.stem != "trying-out":  # one of each: there is none to be left
        assert {part(budget) for budget in budgets} == {part(one) for one in of_kind("Deployment", found)}
    assert {budget["spec"]["maxUnavailable"] for budget in budgets} <= {1}


def _selector(resource: Resource) -> dict[str, str] | None:
    spec: dict[str, Any] = resource.get("spec", {})
    match resource["kind"]:
        case "Deployment" | "PodDisruptionBudget":
            selector: dict[str, str] = spec["selector"]["matchLabels"]
        case "NetworkPolicy":
            selector = spec["podSelector"]["matchLabels"]
        case "Service":
            selector = spec["selector"]
        case _:
            return None
    return selector


def test_the_service_monitor_finds_the_service_of_all_pods() -> None:
    found = resources(values={**SMALLEST, "serviceMonitor": {"enabled": True}})
    [monitor] = of_kind("ServiceMonitor", found)
    [service] = [one for one in of_kind("Service", found) if part(one) == "metrics"]
    [endpoint] = monitor["spec"]["endpoints"]

    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


def test_alerts_and_dashboard_are_those_of_compose_word_for_word_where_they_are_asked_for() -> None:
    every = {"prometheusRule": {"enabled": True}, "grafanaDashboard": {"enabled": True}}
    found = resources(values={**SMALLEST, **every})
    [alerts] = of_kind("PrometheusRule", found)
    [dashboard] = of_kind("ConfigMap", found)
    mounted = {name: ROOT / config["file"] for name, config in document()["configs"].items()}

    assert alerts["spec"] == YAML(typ="safe").load(mounted["alerts"])
    [text] = dashboard["data"].values()
    assert text.strip() == mounted["dashboard"].read_text().strip()
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {"PrometheusRule", "ConfigMap"} & {one["kind"] for one in resources(values=SMALLEST)} == set()


def test_spans_may_leave_from_every_process_and_from_no_job() -> None:
    collector = "http://otel-collector.monitoring:4318"
    found = resources(values={**SMALLEST, "traces": {"endpoint": collector}})
    policies = of_kind("NetworkPolicy", found)
    opened = {part(one) for one in policies if 4318 in _ports(one["spec"]["egress"])}
    told = {pod.part: variables.get("OTEL_EXPORTER_OTLP_ENDPOINT") for pod, variables in _variables(found)}

    assert opened == {"consumer", "worker", "relay", "api"}
    assert told == {**dict.fromkeys(opened, collector), "migrate": None, "topics": None}
    assert not any(
        4318 in _ports(one["spec"]["egress"]) for one in of_kind("NetworkPolicy", resources(values=SMALLEST))
    )


def _ports(rules: list[dict[str, Any]]) -> set[int]:
    return {each["port"] for rule in rules for each in rule["ports"]}


def _variables(found: list[Resource]) -> list[tuple[Pod, dict[str, str | None]]]:
    return [(pod, {one["name"]: one.get("value") for one in pod.container["env"]}) for pod in pods(found).values()]


def test_hooks_come_after_what_they_need() -> None:
    found = [one for one in resources(values=SMALLEST) if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    order = sorted(found, key=lambda one: int(one["metadata"]["annotations"]["helm.sh/hook-weight"]))

    assert [(one["kind"], part(one)) for one in order] == [
        ("Secret", "servers"),
        ("NetworkPolicy", "migrate"),
        ("NetworkPolicy", "topics"),
        ("Job", "migrate"),
        ("Job", "topics"),
    ]


def test_certificates_are_where_the_variables_say() -> None:
    for pod in pods(resources(BY_NAME["production"])).values():
        paths = [one["value"] for one in pod.container["env"] if one.get("value", "").startswith("/etc/")]
        assert len(paths) == 5
        assert {"/tmp", *(str(Path(path).parent) for path in paths)} == set(pod.mounts)
        assert {mount["name"] for mount in pod.container["volumeMounts"]} == {
            volume["name"] for volume in pod.spec["volumes"]
        }


def test_the_strimzi_topics_are_those_that_the_engine_would_make() -> None:
    values: Values = {"kafka": {"topicPrefix": "Prod_1.", "triggerTopics": ["trial.ended"]}}
    found = of_kind("KafkaTopic", resources(BY_NAME["strimzi"], values=values))
    settings = Settings(
        DATABASE_URL="postgresql://a/b",
        topic_prefix="Prod_1.",
        trigger_topics=("trial.ended",),
    )
    by_name = {one["spec"]["topicName"]: one["spec"] for one in found}
    stamped = {name for name, spec in by_name.items() if spec["config"].get(topics.TIMESTAMP_TYPE)}

    assert set(by_name) == {*topics.inbound(settings), *topics.outbound(settings)}
    assert stamped == set(topics.gate(settings))
    assert {by_name[name]["config"][topics.TIMESTAMP_TYPE] for name in stamped} == {topics.APPEND_TIME}
    assert by_name["Prod_1.cadence.dead-letters"]["config"]["max.message.bytes"] == topics.DEAD_LETTER_BYTES
    assert by_name[f"Prod_1.{topics.RELAY}"]["partitions"] == 1
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", one["metadata"]["name"]) for one in found)


def test_keda_looks_at_every_topic_that_is_read_and_has_the_number_to_itself() -> None:
    found = resources(BY_NAME["production"])
    settings = Settings(
        DATABASE_URL="postgresql://a/b",
        topic_prefix="prod.",
        trigger_topics=("trial.ended",),
    )
    scaled = {part(one): one["spec"] for one in of_kind("ScaledObject", found)}
    deployed = {part(one): one for one in of_kind("Deployment", found)}
    watched = {one["metadata"]["topic"]: one["metadata"] for one in scaled["consumer"]["triggers"]}

    assert set(watched) == set(topics.inbound(settings))
    assert watched["prod.trial.ended"]["consumerGroup"] == "prod.cadence-engine.trial.ended"
    for name, spec in scaled.items():
        assert spec["scaleTargetRef"]["name"] == deployed[name]["metadata"]["name"]
        assert "replicas" not in deployed[name]["spec"]
    assert {"replicas" in deployed[name]["spec"] for name in ("relay", "api")} == {True}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"postgres": {"url": ""}},
            "postgres.existingSecret.name is not set: name a Secret with the URL under the key",
        ),
        ({"redis": {"existingSecret": {"name": "x"}}}, "are both set: which one is meant"),
        ({"kafka": {"bootstrapServers": "PLAINTEXT://kafka:9092"}}, "without a protocol"),
        ({"postgres": {"url": "postgresql://a/b?sslmode=require", "tls": {"mode": "require"}}}, "which one is meant"),
        ({"postgres": {"tls": {"mode": "verify-full"}}}, "postgres.tls.secret is not set"),
        ({"postgres": {"tls": {"secret": "x", "certificate": "tls.crt"}}}, "go together"),
        ({"redis": {"tls": {"secret": "x"}}}, "it must begin with rediss://"),
        ({"kafka": {"tls": {"secret": "x"}}}, "kafka.securityProtocol is PLAINTEXT, which does not encrypt"),
        ({"kafka": {"tls": {"secret": "x", "key": "tls.key"}}}, "kafka.tls.certificate and kafka.tls.key go together"),
        ({"kafka": {"sasl": {"username": "x"}}}, "kafka.securityProtocol is PLAINTEXT, which has no users by password"),
        ({"kafka": {"securityProtocol": "SASL_SSL"}}, "kafka.sasl.existingSecret.name with the password"),
        ({"kafka": {"securityProtocol": "SSL"}, "keda": {"enabled": True}}, "set keda.consumer.authentication"),
        ({"topics": {"create": "strimzi"}}, "topics.strimzi.cluster is not set"),
        ({"consumer": {"replicas": 7}}, "7 consumers, but topics.partitions is 6"),
        ({"keda": {"worker": {"minReplicas": 9}}}, "keda.worker.minReplicas is above"),
        ({"image": {"digest": "sha256:abc"}}, "64 hexadecimal digits"),
        ({"pod": {"securityContext": {"runAsUser": 0}}}, "does not run as root"),
        ({"pod": {"extraEnv": [{"name": "CADENCE_POOL_SIZE", "value": "9"}]}}, "which has a value of its own"),
        ({"traces": {"endpoint": "collector:4317"}}, "traces.endpoint must be http://host:4318"),
        ({"traces": {"endpoint": "https://user:key@collector"}}, "a key goes into OTEL_EXPORTER_OTLP_HEADERS"),
        ({"settings": {"CADENCE_GATE_MAXLAG": 5}}, "at '/settings': additional properties 'CADENCE_GATE_MAXLAG'"),
        ({"settings": {"CADENCE_API_PORT": 5}}, "at '/settings': additional properties 'CADENCE_API_PORT'"),
        ({"consumer": {"replicas": 0}}, "at '/consumer/replicas': minimum: got 0, want 1"),
        ({"consumers": {"replicas": 2}}, "additional properties 'consumers' not allowed"),
        ({"topics": {"create": "jobs"}}, "at '/topics/create': value must be one of 'job', 'strimzi', 'none'"),
    ],
)
def test_what_cannot_work_is_refused_with_its_reason(values: Values, said: str) -> None:
    merged = {name: {**SMALLEST.get(name, {}), **values.get(name, {})} for name in {*SMALLEST, *values}}

    with pytest.raises(Refused) as refused:
        render(values=merged)

    assert said in str(refused.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        render()

    for name in ("postgres.existingSecret.name", "redis.existingSecret.name", "kafka.bootstrapServers"):
        assert f"  - {name}" in str(refused.value)


def test_the_guide_names_every_value() -> None:
    guide = (ROOT / "deploy" / "README.md").read_text()
    values = YAML(typ="safe").load((CHART / "values.yaml").read_text())

    assert [name for name in values if f"`{name}" not in guide] == []
    for example in EXAMPLES:
        assert example.name in guide
