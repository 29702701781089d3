"""The client of cadence_contracts against the API as it is served."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from cadence_contracts.client import CadenceClient, EnrollRow, ProblemError, UnexpectedAnswerError
from cadence_contracts.client.models import (
    CadenceDefinition,
    Choice,
    CompanySettings,
    DropAsked,
    EnrollAsked,
    HaltAsked,
    OrderAsked,
    PauseAsked,
    Publishing,
    ReplayAsked,
    SimulationAsked,
)
from cadence_contracts.generate import HOME
from cadence_engine.devstack.ports import HOST, free_port
from cadence_engine.domain.api_key import Scope
from cadence_engine.handlers.enroll_many import ROWS_AT_ONCE
from tests.api.conftest import ACME, DEFINITION, WITHIN, Api

WELCOME = CadenceDefinition.model_validate(DEFINITION)


async def _client(api: Api, *scopes: Scope) -> CadenceClient:
    return CadenceClient(api.url, await api.key("acme", *scopes))


async def test_a_definition_is_edited_under_its_etag(api: Api) -> None:
    async with await _client(api) as client:
        published = await client.publish_cadence("welcome", json.dumps(DEFINITION))  # YAML, which JSON is too
        assert (published.outcome, published.status) == ("created", "active")
        shown = await client.show_cadence("welcome")
        assert shown.etag == published.etag
        assert CadenceDefinition.model_validate(shown.definition).steps[1].wait == "P3D"

        draft = await client.write_draft("welcome", WELCOME.model_copy(update={"name": "Hello"}))
        with pytest.raises(ProblemError) as refused:
            await client.write_draft("welcome", WELCOME, if_match='"9"')
        assert refused.value.code in ("overtaken", "precondition_failed")
        assert refused.value.remedy
        assert refused.value.request_id
        assert (await client.publish_draft("welcome", Publishing(), if_match=draft.etag)).version == 2

        draft = await client.write_draft("welcome", WELCOME)
        await client.throw_away_draft("welcome", if_match=draft.etag)
        assert (await client.list_drafts()).drafts == []
        assert (await client.list_cadences(archived=True)).cadences[0].name == "Hello"


async def test_enrollments_come_page_after_page_and_are_changed_batch_after_batch(api: Api) -> None:
    contacts = ("ana", "bia", "c/d ?#e%2F")
    await api.known(*contacts)
    async with await _client(api) as client:
        await client.publish_cadence("welcome", WELCOME)
        asked = [EnrollAsked(cadence_key="welcome", contact_id=contact) for contact in contacts]
        told = [await client.enroll_contact(each) for each in asked]
        assert [each.created for each in told] == [True, True, True]
        assert not (await client.enroll_contact(asked[0])).created

        listed = [each async for each in client.each_enrollment(cadence_key="welcome", status=["active"], limit=2)]
        assert {each.contact_id for each in listed} == set(contacts)
        later = listed[0].started_at
        assert (await client.count_enrollments(started_after=later.replace(year=2000), status=["active"])).count == 3

        paused = await client.pause_enrollment(told[0].enrollment_id, PauseAsked(reason="asked to"))
        assert (paused.status, paused.paused_by) == ("paused", "operator")
        order = OrderAsked(operation="cancel", choice=Choice(cadence_key="welcome"), reason="typo")
        assert sum([batch.done async for batch in client.operate_on_all_chosen(order)]) == 3

        why = await client.why_about_contact(contacts[2])
        assert [passage.enrollment.status for passage in why.passages] == ["cancelled"]
        happened = [each.type async for each in client.timeline_of_contact(contacts[2], limit=1)]
        assert happened == [each.type for each in reversed(why.timeline)]
        assert len(happened) > 1

        simulated = await client.simulate("welcome", SimulationAsked(contact_ids=["ana"]))
        assert [step.key for step in simulated.contacts[0].steps] == ["hello", "again"]
        assert (await client.show_funnel("welcome")).versions[0].cancelled


async def test_a_replay_in_batches_is_answered_again_as_it_was(api: Api) -> None:
    await api.pool.execute("INSERT INTO companies (company_id) VALUES ($1)", ACME)
    await api.pool.execute(
        """
        INSERT INTO dead_letters (topic, partition, record_offset, record_timestamp, header_names, header_values,
            reason, detail, company_id)
        SELECT 'contact.created', 0, generate_series(1, 501), 1, '{}', '{}', 'no_value', 'was wrong', $1
        """,
        ACME,
    )
    async with await _client(api) as client:

        async def replayed() -> list[int]:
            batches = client.replay_all_letters(ReplayAsked(reason="mended"), idempotency_key="monday")
            return [len(batch.still_dead) async for batch in batches]

        assert await replayed() == [500, 1]
        await client.drop_letters(DropAsked(reason="noise"))
        assert await replayed() == [500, 1]


async def test_many_are_answered_while_they_are_sent(api: Api) -> None:
    await api.known("ana")
    answered = asyncio.Event()

    async def rows() -> AsyncIterator[EnrollRow]:
        yield EnrollRow(contact_id="ana", context={"plan": "gold", "seats": 3})
        for number in range(3 * ROWS_AT_ONCE):  # more than what is sent at once
            yield EnrollRow(contact_id=f"stranger-{number}")
        await answered.wait()
        yield EnrollRow(contact_id="ana")

    async with await _client(api) as client:
        await client.publish_cadence("welcome", WELCOME)
        told = []
        async for row in client.enroll_many("welcome", rows(), idempotency_key="one"):
            told.append(row)
            answered.set()
        assert [row.row for row in told] == list(range(1, 3 * ROWS_AT_ONCE + 3))
        assert (told[0].outcome, told[1].outcome, told[1].reason) == ("created", "refused", "contact_not_found")
        assert told[-1].outcome == "already_active"

        again = [EnrollRow(contact_id="ana", context={"plan": "gold", "seats": 3})]
        async with aclosing(client.enroll_many("welcome", again, idempotency_key="one")) as answers:
            assert (await anext(answers)) == told[0]
        with pytest.raises(ProblemError) as refused:
            await anext(client.enroll_many("nothing", again, idempotency_key="two"))
        assert refused.value.code == "cadence_not_found"


async def test_what_cannot_be_done_is_told_by_its_type(api: Api) -> None:
    async with await _client(api, Scope.READ) as client:
        with pytest.raises(ProblemError) as refused:
            await client.halt(HaltAsked(reason="typo"))
        assert (refused.value.status, refused.value.code) == (403, "missing_scope")
        with pytest.raises(ProblemError) as refused:
            await client.list_enrollments(limit=0)
        assert [(each.in_, each.pointer) for each in refused.value.errors] == [("query", "/limit")]
    with pytest.raises(RuntimeError, match="async with"):
        await client.list_halts()

    async with CadenceClient(api.url, None) as stranger:
        assert (await stranger.live()).live
        with pytest.raises(ProblemError, match="unauthenticated"):
            await stranger.show_company()

    async with CadenceClient(f"http://{HOST}:{free_port()}", None) as nowhere:
        with pytest.raises(aiohttp.ClientConnectionError):
            await nowhere.live()


async def test_an_api_that_is_not_ready_says_so_in_its_own_words(api: Api) -> None:
    api.readiness.block("postgres", "away")
    async with CadenceClient(api.url, None) as client:
        assert (await client.ready()).blocking


@asynccontextmanager
async def _answering(handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """The address of a server that answers as the engine would rarely do."""
    runner, port = web.ServerRunner(web.Server(handler)), free_port()
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield f"http://{HOST}:{port}"
    finally:
        await runner.cleanup()


async def test_an_answer_of_something_else_is_none_of_the_engines() -> None:
    async def proxy(_: web.BaseRequest) -> web.Response:
        return web.Response(status=502, text="<h1>Bad gateway</h1>", content_type="text/html")

    async with _answering(proxy) as url, CadenceClient(url, None) as client:
        with pytest.raises(UnexpectedAnswerError) as told:
            await client.live()
    assert (told.value.status, told.value.content_type) == (502, "text/html")


async def test_what_fails_in_the_middle_of_many_ends_them_with_its_reason() -> None:
    problem = {
        "type": "",
        "title": "",
        "status": 503,
        "code": "unavailable",
        "detail": "",
        "remedy": "",
        "requestId": "",
    }

    async def interrupted(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await answer.prepare(request)
        await answer.write(b'{"row": 1, "outcome": "created"}\n' + json.dumps(problem).encode() + b"\n")
        return answer

    async with _answering(interrupted) as url, CadenceClient(url, None) as client:
        answers = client.enroll_many("welcome", [EnrollRow(contact_id="ana")], idempotency_key="one")
        assert (await anext(answers)).row == 1
        with pytest.raises(ProblemError, match="unavailable"):
            await anext(answers)


async def test_rows_that_cannot_be_made_end_the_call_with_what_was_wrong() -> None:
    async def patient(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await answer.prepare(request)
        await answer.write(b'{"row": 1, "outcome": "created"}\n')
        with suppress(ConnectionError):
            await request.read()
        return answer

    answered = asyncio.Event()

    async def rows() -> AsyncIterator[EnrollRow]:
        yield EnrollRow(contact_id="a" * 100_000)
        await answered.wait()
        raise ValueError("line 2 of the file has no id")

    async with _answering(patient) as url, CadenceClient(url, None) as client, asyncio.timeout(WITHIN):
        answers = client.enroll_many("welcome", rows(), idempotency_key="one")
        assert (await anext(answers)).row == 1
        answered.set()
        with pytest.raises(ValueError, match="line 2"):
            await anext(answers)


async def test_settings_that_are_left_out_stay(api: Api) -> None:
    async with await _client(api) as client:
        await client.set_up_company(CompanySettings(name="Acme", time_zone="America/Sao_Paulo"))
        told = await client.set_up_company(CompanySettings(detector_hour=8))

    assert (told.name, told.time_zone, told.detector_hour) == ("Acme", "America/Sao_Paulo", 8)


async def test_the_readme_does_what_it_says(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    await api.known("ana", "bia")
    key = await api.key()
    await api.published(key)
    (block,) = re.findall(r"## Manage\n\n```python\n(.*?)```", (HOME / "README.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)  # noqa: S102 - our own text

    await names["manage"](api.url, key)

    printed = [line for line in capsys.readouterr().out.splitlines() if "request_answered" not in line]
    assert printed == ["bia created None", "carla refused contact_not_found"]
    assert (await api("GET", "/v1/enrollments?contactId=ana&status=cancelled", key)).fine()["enrollments"]
