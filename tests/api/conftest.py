"""The API as it is served, on a real database and a real Redis; callers with keys of two companies."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from cadence_engine.api import process
from cadence_engine.bootstrap import policy_of
from cadence_engine.bus.reread import reader
from cadence_engine.bus.topics import gate
from cadence_engine.devstack.ports import HOST, free_port
from cadence_engine.devstack.servers import Servers
from cadence_engine.domain.api_key import SECRET_BYTES, Scope
from cadence_engine.handlers.api_keys import NewKey, create_key
from cadence_engine.health import Readiness
from cadence_engine.settings import Settings
from cadence_engine.storage import database
from cadence_engine.storage.connection import Pool

ACME, OTHER = "acme", "other"
WITHIN = 20.0

DEFINITION: dict[str, Any] = {
    "key": "welcome",
    "name": "Welcome",
    "trigger": {"event": "api"},
    "steps": [
        {"key": "hello", "wait": "P1D", "template": {"id": "hello_1"}},
        {"key": "again", "wait": "P3D", "template": {"id": "hello_2"}},
    ],
}


@dataclass(frozen=True, slots=True)
class Said:
    """What the API answered."""

    status: int
    body: Any
    headers: Mapping[str, str]

    def fine(self, status: int = 200) -> Any:
        assert self.status == status, self
        return self.body

    def problem(self, status: int, code: str) -> dict[str, Any]:
        """The problem details, which must be whole."""
        assert (self.status, self.body["code"]) == (status, code), self
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.body["status"] == status
        assert self.body["requestId"] == self.headers["X-Request-ID"]
        assert self.body["type"] == f"/docs#problem-{code}"
        assert self.body["title"]
        assert self.body["detail"]
        assert self.body["remedy"]
        told: dict[str, Any] = self.body
        return told


@dataclass
class Api:
    """A served API. `wakes`: what it asked to be woken up for."""

    url: str
    pool: Pool
    session: aiohttp.ClientSession
    readiness: Readiness
    wakes: list[Any] = field(default_factory=list)

    async def key(
        self, company: str = ACME, *scopes: Scope, lifetime: timedelta | None = None, drawn: NewKey | None = None
    ) -> str:
        """A new key, which may do everything unless said otherwise."""
        new = drawn or NewKey(secrets.token_hex(6), secrets.token_bytes(SECRET_BYTES))
        await database.run(
            self.pool,
            lambda unit: create_key(
                unit,
                company,
                name="crm",
                scopes=scopes or tuple(Scope),
                lifetime=lifetime,
                drawn=new,
                actor="olga",
            ),
        )
        return new.text

    async def __call__(self, method: str, path: str, key: str | None = None, json: Any = None, **more: Any) -> Said:
        headers = dict(more.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        async with self.session.request(method, self.url + path, json=json, headers=headers, **more) as answer:
            is_json = answer.content_type in ("application/json", "application/problem+json")
            body = await answer.json(content_type=None) if is_json else await answer.text()
            return Said(answer.status, body, answer.headers)

    async def known(self, *contact_ids: str, company: str = ACME) -> None:
        """Makes contacts known, as if another service had told of them."""
        await self.pool.execute("INSERT INTO companies (company_id) VALUES ($1) ON CONFLICT DO NOTHING", company)
        await self.pool.execute(
            """
            INSERT INTO contacts (company_id, contact_id, name, name_at, phone, phone_at)
            SELECT $1, unnest($2::text[]), 'Ana', now(), '+5511999991234', now()
            """,
            company,
            contact_ids,
        )

    async def published(self, credential: str, **changed: Any) -> Said:
        """Publish DEFINITION with `changed`."""
        definition = {**DEFINITION, **changed}
        return await self("PUT", f"/v1/cadences/{definition['key']}", credential, json=definition)


Serve = Callable[..., Any]


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await database.connect(database_url, process="test", size=4)
    yield pool
    await pool.close()


@pytest.fixture
def serve(servers: Servers, database_url: str, topic_prefix: str, pool: Pool) -> Serve:
    """Serves the API with settings of a test's own while its context lasts; `by`: its pool, if not the test's."""

    @asynccontextmanager
    async def serving(by: Pool = pool, **given: Any) -> AsyncIterator[Api]:
        port = free_port()
        settings = Settings(
            **{
                "DATABASE_URL": database_url,
                "REDIS_URL": servers.addresses.redis_url,
                "topic_prefix": topic_prefix,
                "api_port": port,
                **given,
            }
        )
        stop, readiness = asyncio.Event(), Readiness()
        async with aiohttp.ClientSession() as session:
            api = Api(f"http://{HOST}:{port}", pool, session, readiness)

            async def wake(moments: Any) -> None:
                api.wakes.extend(moments)

            policy = policy_of(settings)
            task = asyncio.create_task(
                process.run(
                    settings,
                    policy,
                    by,
                    stop,
                    readiness,
                    wake=wake,
                    read_letter=reader(settings, policy),
                    gate_topics=gate(settings),
                )
            )
            try:
                await _answers(api, task)
                yield api
            finally:
                stop.set()
                await task

    return serving


async def _answers(api: Api, task: "asyncio.Task[None]") -> None:
    async with asyncio.timeout(WITHIN):
        while True:
            if task.done():
                task.result()
            try:
                (await api("GET", "/health/live")).fine()
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.01)
            else:
                return


@pytest_asyncio.fixture
async def api(serve: Serve) -> AsyncIterator[Api]:
    async with serve() as api:
        yield api


Keyed = Callable[[], Awaitable[str]]
