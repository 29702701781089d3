"""What a deployment does once before its processes start: the schema, the topics."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.fleet import command

COORDINATOR_WITHIN = 20.0
ASK_EVERY = 0.1


def prepare(environment: Mapping[str, str]) -> None:
    """Bring the database to this version's schema and make the topics that are missing. Raises DevstackError."""
    with ThreadPoolExecutor(2) as pool:
        commands = pool.submit(command, environment, "migrate"), pool.submit(command, environment, "topics", "create")
        asyncio.run(_find_coordinator(environment["KAFKA_BOOTSTRAP_SERVERS"]))
        for done in commands:
            done.result()


async def _find_coordinator(bootstrap_servers: str) -> None:
    """A new Kafka makes its topic of group offsets when first asked for, and until then refuses every group."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        await admin.start()
        async with asyncio.timeout(COORDINATOR_WITHIN):
            while not await _is_there(admin):  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(ASK_EVERY)
    except (KafkaError, TimeoutError) as error:
        raise DevstackError(f"Kafka at {bootstrap_servers} does not serve consumer groups: {error!r}") from error
    finally:
        await admin.close()


async def _is_there(admin: AIOKafkaAdminClient) -> bool:
    try:
        await admin.find_coordinator("cadence-engine")
    except KafkaError:
        return False
    return True
