"""The command line explains itself, and says which variable is wrong without showing what it holds."""

import pytest

from tests.processes.conftest import Commands


@pytest.mark.parametrize(
    ("arguments", "mentions"),
    [
        ((), ["consumer", "worker", "relay", "migrate", "topics", "DATABASE_URL"]),
        (("worker",), ["Run due steps"]),
        (("relay", "resolve"), ["--trust", "database", "kafka"]),
        (("topics", "create"), ["--partitions", "--replication", "CADENCE_TOPIC_PREFIX"]),
    ],
)
async def test_help_is_enough(commands: Commands, arguments: tuple[str, ...], mentions: list[str]) -> None:
    code, said = await commands.run(*arguments, "--help", TERM="dumb", COLUMNS="120")
    assert code == 0
    for word in mentions:
        assert word in said


async def test_wrong_settings_are_named_all_at_once_and_their_values_not_shown(commands: Commands) -> None:
    code, said = await commands.run(
        "worker",
        DATABASE_URL="mysql://u:secret-word@h/db",
        CADENCE_SWEEP_EVERY="-1",
        CADENCE_LOG_LEVEL="loud",
    )
    assert code == 2
    lines = dict(line.split(": ", 1) for line in said.splitlines())
    assert set(lines) == {"DATABASE_URL", "CADENCE_SWEEP_EVERY", "CADENCE_LOG_LEVEL"}
    assert "postgresql://user:password@host/db" in lines["DATABASE_URL"]
    assert "greater than 0" in lines["CADENCE_SWEEP_EVERY"]
    assert "'warning'" in lines["CADENCE_LOG_LEVEL"]
    assert "secret-word" not in said


async def test_a_missing_setting_is_named(commands: Commands) -> None:
    del commands.environment["DATABASE_URL"]
    code, said = await commands.run("migrate")
    assert (code, said.splitlines()) == (2, ["DATABASE_URL: is not set (postgresql://user:password@host/db)"])


async def test_topics_are_made_once(commands: Commands, topic_prefix: str) -> None:
    create = ("topics", "create", "--partitions", "2", "--replication", "1")
    code, said = await commands.run(*create)
    assert code == 0
    assert f"created {topic_prefix}message.received" in said.splitlines()
    assert await commands.run(*create) == (0, "all topics are there\n")


async def test_topics_without_kafka_is_an_error_in_one_line(commands: Commands) -> None:
    code, said = await commands.run("topics", "create", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert code == 1
    assert "127.0.0.1:1 did not make the topics" in said.splitlines()[-1]
