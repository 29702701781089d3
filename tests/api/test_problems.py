"""However a call fails, the answer is problem details with a stable code, and nothing of what was sent."""

from asyncio import to_thread
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from cadence_engine.api.problems import KINDS, Code
from cadence_engine.devstack.ports import HOST
from cadence_engine.devstack.servers import Servers
from cadence_engine.domain.enroll import Refusal
from cadence_engine.storage import database
from cadence_engine.storage.connection import Pool
from tests.api.conftest import DEFINITION, Api, Serve
from tests.faults.links.link import Link

PHONE = "+5511987654321"


async def test_a_path_and_a_method_that_do_not_exist(api: Api) -> None:
    (await api("GET", "/v1/nothing")).problem(404, "no_such_route")
    said = await api("DELETE", "/v1/cadences/welcome", await api.key())
    said.problem(405, "method_not_allowed")
    assert set(said.headers["Allow"].split(",")) == {"GET", "PUT"}


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        ('{"a": ', "application/json", 400, "not_json"),
        ('{"a": "\\ud800"}', "application/json", 400, "not_json"),
        (b"\xff\xfe", "application/json", 400, "not_json"),
        ("[]", "application/json", 422, "invalid_request"),
        ("{}", "text/plain", 415, "unsupported_media_type"),
        ("{}", "application/json; charset=latin-1", 415, "unsupported_media_type"),
        ("a=b", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ("", "application/json", 400, "not_json"),
    ],
)
async def test_a_body_that_cannot_be_read(api: Api, body: Any, kind: str, status: int, code: str) -> None:
    said = await api("POST", "/v1/enrollments", await api.key(), data=body, headers={"Content-Type": kind})
    said.problem(status, code)


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/enrollments", "application/json"), ("/v1/cadences/welcome/enrollments", "text/csv")]
)
async def test_a_body_that_cannot_be_unpacked(api: Api, path: str, kind: str) -> None:
    headers = {"Content-Type": kind, "Content-Encoding": "gzip", "Idempotency-Key": "one"}
    said = await api("POST", path, await api.key(), data=b"no gzip", headers=headers)
    assert "Content-Encoding" in said.problem(400, "bad_http")["detail"]


async def test_a_definition_that_is_nested_too_deeply(api: Api) -> None:
    text = '{"key": ' * 400 + "1" + "}" * 400
    headers = {"Content-Type": "application/json"}
    said = await api("PUT", "/v1/cadences/welcome", await api.key(), data=text, headers=headers)
    assert "nested" in said.problem(400, "not_json")["detail"]


async def test_an_expectation_that_nobody_knows_is_refused(api: Api) -> None:
    said = await api("POST", "/v1/enrollments", await api.key(), data="{}", headers={"Expect": "wonders"})
    assert said.status == 417
    assert said.headers["X-Request-ID"]


async def test_what_is_no_http_is_not_logged(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    said = await api("GET", "/v1/cadences", headers={"Authorization": "Bearer " + "secret-word" * 1000})
    assert said.status == 400
    assert "secret-word" not in caplog.text


async def test_all_that_is_wrong_is_told_at_once_by_its_place_and_without_its_value(api: Api) -> None:
    asked = {"contactId": PHONE + "\x00", "leadId": 7, "context": {"a": {"phone": PHONE}}, "phone": PHONE}
    told = (await api("POST", "/v1/enrollments", await api.key(), json=asked)).problem(422, "invalid_request")
    places = {each["pointer"].removesuffix("/str") for each in told["errors"]}
    assert {"/cadenceKey", "/contactId", "/leadId", "/phone"} <= places
    assert {each["in"] for each in told["errors"]} == {"body"}
    assert PHONE not in str(told)


async def test_what_is_wrong_is_said_in_words(api: Api) -> None:
    key = await api.key()
    told = (await api("POST", "/v1/enrollments", key, json={"contactId": "a", "x": 1})).problem(422, "invalid_request")
    said = {each["pointer"]: each["detail"] for each in told["errors"]}
    assert said == {"/cadenceKey": "is missing, and required", "/x": "is not known here: see /docs for what is"}
    told = (await api("GET", "/v1/enrollments?dueBefore=soon", key)).problem(422, "invalid_request")
    assert told["errors"][0]["detail"].startswith("must be an RFC 3339 time")


async def test_parameters_are_checked_as_bodies_are(api: Api) -> None:
    key = await api.key()
    told = (await api("GET", "/v1/enrollments/7", key)).problem(422, "invalid_request")
    assert [(each["in"], each["pointer"]) for each in told["errors"]] == [("path", "/enrollmentId")]
    told = (await api("GET", "/v1/cadences?page=7", key)).problem(422, "invalid_request")
    assert [(each["in"], each["pointer"]) for each in told["errors"]] == [("query", "/page")]
    said = await api("PUT", "/v1/cadences/welcome", key, json=DEFINITION, headers={"If-Match": "1"})
    assert [(each["in"], each["pointer"]) for each in said.problem(422, "invalid_request")["errors"]] == [
        ("header", "/If-Match")
    ]


async def test_a_body_that_is_too_large(serve: Serve) -> None:
    async with serve(api_body_bytes=2048) as api:
        asked = {"cadenceKey": "welcome", "contactId": "ana", "context": {"text": "x" * 3000}}
        (await api("POST", "/v1/enrollments", await api.key(), json=asked)).problem(413, "too_large")


async def test_too_many_calls_of_one_credential(serve: Serve) -> None:
    async with serve(api_requests_per_minute=5) as api:
        key, another = await api.key(), await api.key()
        answers = [await api("GET", "/v1/cadences", key) for _ in range(7)]
        assert [said.status for said in answers].count(200) == 5
        answers[-1].problem(429, "too_many_requests")
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        (await api("GET", "/v1/cadences", another)).fine()


async def test_without_redis_calls_are_let_through(serve: Serve) -> None:
    async with serve(REDIS_URL="redis://127.0.0.1:1", api_requests_per_minute=1) as api:
        key = await api.key()
        for _ in range(3):
            (await api("GET", "/v1/cadences", key)).fine()
        told = (await api("GET", "/health/ready")).fine()
        assert "let through uncounted" in told["degraded"]["rate_limit"]


async def test_without_postgres_the_answer_is_to_try_again(api: Api, servers: Servers) -> None:
    key = await api.key()
    postgres = servers.postgres
    if postgres is None:
        pytest.skip("it is somebody's own server")
    await to_thread(postgres.kill)
    try:
        said = await api("GET", "/v1/cadences", key)
    finally:
        await to_thread(postgres.start)
    told = said.problem(503, "unavailable")
    assert said.headers["Retry-After"] == "1"
    assert str(postgres.port) not in str(told)
    (await api("GET", "/v1/cadences", key)).fine()


class LastWords:
    """Lets everything pass; where the server says that it ends the connection, the end itself stays out."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def forth(self, chunk: bytes) -> AsyncIterator[bytes]:
        yield chunk

    async def back(self, chunk: bytes) -> AsyncIterator[bytes]:
        yield chunk
        if b"FATAL" in chunk:
            self._link.silence()


async def test_a_connection_that_postgres_has_given_notice_of_is_one_to_try_again(
    serve: Serve, database_url: str, pool: Pool
) -> None:
    """A server that stops tells idle connections so, and asyncpg takes them for usable until they have ended."""
    url = make_url(database_url)
    async with Link(url.port or 5432, watch=lambda: LastWords(link)) as link:
        there = url.set(host=HOST, port=link.port).render_as_string(hide_password=False)
        async with await database.connect(there, process="api", size=1) as by, serve(by) as api:
            key = await api.key()
            (await api("GET", "/v1/cadences", key)).fine()
            await pool.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'cadence-engine api'"
            )
            (await api("GET", "/v1/cadences", key)).problem(503, "unavailable")
            link.heal()
            (await api("GET", "/v1/cadences", key)).fine()


async def test_a_fault_of_ours_is_logged_under_its_request_and_tells_nothing(api: Api) -> None:
    key = await api.key()
    await api.pool.execute("ALTER TABLE cadences RENAME TO cadences_gone")
    with capture_logs() as logged:
        told = (await api("GET", "/v1/cadences", key)).problem(500, "internal_error")
    assert "cadences_gone" not in str(told)
    assert "relation" not in str(told)
    assert [each["request_id"] for each in logged if each["event"] == "request_failed"] == [told["requestId"]]


async def test_a_request_is_logged_by_its_route_not_by_its_ids(api: Api) -> None:
    key = await api.key()
    with capture_logs() as logged:
        await api("GET", f"/v1/contacts/{PHONE.replace('+', '%2B')}", key)
    line = next(each for each in logged if each["event"] == "request_answered")
    assert (line["route"], line["status"], line["method"]) == ("/v1/contacts/{contactId}", 404, "GET")
    assert PHONE not in str(logged)
    assert key not in str(logged)


def test_every_code_and_every_refusal_is_in_the_table() -> None:
    assert set(KINDS) == set(Code)
    assert {refusal.value for refusal in Refusal} <= {code.value for code in Code}
