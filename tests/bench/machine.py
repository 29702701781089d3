"""On what was measured: the machine's size, the servers and the libraries."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

import asyncpg
import psutil
from redis.asyncio import Redis

from cadence_engine.devstack import jars
from cadence_engine.devstack.servers import Servers

LIBRARIES: Final = ("faststream", "aiokafka", "asyncpg", "uvloop", "arq", "procrastinate", "psycopg", "pgqueuer")
KAFKA: Final = "org.apache.kafka:kafka_"
GIBIBYTE: Final = 1024**3


@dataclass(frozen=True, slots=True)
class Machine:
    """`load_average` is that of the last minute before the first measurement: other work makes rates worthless."""

    date: str
    cores: int
    memory_gib: int
    platform: str
    load_average: float
    versions: Mapping[str, str]

    def __str__(self) -> str:
        servers = ", ".join(f"{name} {self.versions[name]}" for name in ("PostgreSQL", "Valkey", "Kafka"))
        return (
            f"{self.date[:10]}, {self.cores} cores, {self.memory_gib} GiB, load before {self.load_average}; {servers}"
        )

    def as_json(self) -> Mapping[str, object]:
        return asdict(self)


async def look_at(servers: Servers) -> Machine:
    """This machine, now."""
    return Machine(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        cores=os.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / GIBIBYTE),
        platform=platform.platform(),
        load_average=round(os.getloadavg()[0], 2),
        versions={
            "Python": platform.python_version(),
            "PostgreSQL": await _postgres(servers),
            "Valkey": await _valkey(servers),
            "Kafka": _kafka(servers),
            **{name: version(name) for name in LIBRARIES},
        },
    )


async def _postgres(servers: Servers) -> str:
    connection = await asyncpg.connect(servers.addresses.database_url)
    try:
        told: str = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    return told


async def _valkey(servers: Servers) -> str:
    async with Redis.from_url(servers.addresses.redis_url) as redis:
        told = await redis.info("server")
    return str(told.get("valkey_version") or told["redis_version"])


def _kafka(servers: Servers) -> str:
    """Of our own; another's is not told by its protocol."""
    if servers.kafka is None:
        return "of the environment"
    return next(jar.coordinate.rpartition(":")[2] for jar in jars.committed_jars() if jar.coordinate.startswith(KAFKA))
