"""Every route and method of the served document, called for one company with another's ids."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson
import pytest

from cadence_engine.domain.api_key import Scope
from tests.api.conftest import ACME, DEFINITION, OTHER, Api

SECRET = "of-acme-alone"
"""Part of every name and text of ACME's: nothing that OTHER is answered may hold it."""


@dataclass(frozen=True)
class Visit:
    """How a stranger calls an operation with what is ACME's: a path's placeholders, a body, and what is answered."""

    path: dict[str, str] = field(default_factory=dict)
    body: Any = None
    answers: int = 404
    headers: dict[str, str] = field(default_factory=dict)

    def sent(self) -> dict[str, Any]:
        content = {"data": self.body} if isinstance(self.body, str) else {"json": self.body}
        return {**content, "headers": self.headers}


@dataclass(frozen=True)
class Acme:
    """What ACME has."""

    enrollment: str
    key: str = f"welcome-{SECRET}"
    contact: str = f"ana-{SECRET}"

    def visits(self) -> dict[str, Visit]:
        """By operation; the document may name none that is not here."""
        cadence = {"key": self.key}
        enrollment = {"enrollmentId": self.enrollment}
        letter = {name: str(value) for name, value in LETTER.items()}
        return {
            "list_cadences": Visit(answers=200),
            "show_cadence": Visit(cadence),
            "publish_cadence": Visit(cadence, {**DEFINITION, "key": self.key}, answers=201),  # one of its own
            "list_versions": Visit(cadence),
            "pause_cadence": Visit(cadence),
            "unpark_cadence": Visit(cadence),
            "resume_cadence": Visit(cadence),
            "archive_cadence": Visit(cadence),
            "unarchive_cadence": Visit(cadence),
            "list_drafts": Visit(answers=200),
            "show_draft": Visit(cadence),
            "write_draft": Visit(cadence, {**DEFINITION, "key": self.key}, answers=200),  # one of its own
            "throw_away_draft": Visit(cadence, headers={"If-Match": '"1"'}),
            "publish_draft": Visit(cadence, headers={"If-Match": '"1"'}),
            "list_enrollments": Visit(answers=200),
            "count_enrollments": Visit(answers=200),
            "operate_on_chosen": Visit(body={"operation": "cancel", "choice": {"status": ["active"]}}, answers=200),
            "pause_enrollment": Visit(enrollment),
            "resume_enrollment": Visit(enrollment),
            "skip_step": Visit(enrollment, {"stepKey": "hello"}),
            "run_now": Visit(enrollment),
            "enroll_many": Visit(
                cadence,
                f'{{"contactId": "{self.contact}"}}',
                headers={"Idempotency-Key": "one", "Content-Type": "application/x-ndjson"},
            ),
            "erase_contact": Visit({"contactId": self.contact}, {"reason": "asked to"}),
            "move_enrollments": Visit(cadence, {"from": 1}),
            "erase_company": Visit(body={"companyId": ACME, "reason": "test"}, answers=409),
            "show_funnel": Visit(cadence),
            "simulate": Visit(cadence, {"contactIds": [self.contact]}),
            "list_dead_letters": Visit(answers=200),
            "show_dead_letter": Visit(letter),
            "replay_letters": Visit(body={"letter": LETTER}),
            "drop_letters": Visit(body={"letter": LETTER, "reason": "test"}),
            "enroll_contact": Visit(body={"cadenceKey": self.key, "contactId": self.contact}),
            "show_enrollment": Visit(enrollment),
            "cancel_enrollment": Visit(enrollment),
            "why_about_contact": Visit({"contactId": self.contact}),
            "why_about_enrollment": Visit(enrollment),
            "show_company": Visit(answers=200),
            "set_up_company": Visit(body={}, answers=200),
            "list_halts": Visit(answers=200),
            "halt": Visit(body={"reason": "test"}, answers=200),
            "unhalt": Visit(answers=200),
            "live": Visit(answers=200),
            "ready": Visit(answers=200),
        }


LETTER = {"topic": "contact.created", "partition": 0, "offset": 7}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


async def _acme(api: Api, key: str) -> Acme:
    (await api("PATCH", "/v1/company", key, json={"name": SECRET})).fine()
    (await api("POST", "/v1/halt", key, json={"reason": SECRET})).fine()
    (await api("PUT", f"/v1/drafts/{Acme('').key}", key, json={**DEFINITION, "key": Acme("").key})).fine()
    await api.published(key, key=Acme("").key, name=f"Welcome {SECRET}")
    await api.known(Acme("").contact)
    await api.pool.execute(
        """
        INSERT INTO dead_letters (topic, partition, record_offset, record_timestamp, value, header_names, header_values,
            reason, detail, company_id)
        VALUES ('contact.created', 0, 7, 1, $2, '{}', '{}', 'invalid_data', $3, $1)
        """,
        ACME,
        SECRET.encode(),
        SECRET,
    )
    asked = {"cadenceKey": Acme("").key, "contactId": Acme("").contact}
    enrolled = (await api("POST", "/v1/enrollments", key, json=asked)).fine(201)
    return Acme(enrolled["enrollmentId"])


async def _contents(api: Api) -> list[str]:
    """Every row of ACME's, but the log's place of it."""
    tables = [
        row[0]
        for row in await api.pool.fetch(
            """
            SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname = 'company_id' ORDER BY 1
            """
        )
    ]
    return [
        row[0]
        for table in tables
        for row in await api.pool.fetch(
            f"SELECT t::text FROM {table} t WHERE company_id = $1 ORDER BY 1",  # noqa: S608
            ACME,
        )
    ]


async def test_what_is_anothers_is_not_found_by_any_route(api: Api) -> None:
    acme = await _acme(api, await api.key(ACME))
    stranger = await api.key(OTHER)
    before = await _contents(api)
    assert any(SECRET in row for row in before)
    document = (await api("GET", "/openapi.json")).fine()
    visits = acme.visits()
    assert {operation["operationId"] for _, _, operation in operations(document)} == set(visits)

    # What is refused first, as some routes make things of the stranger's own under the same key.
    for method, path, operation in sorted(operations(document), key=lambda each: each[0] == "PUT"):
        visit = visits[operation["operationId"]]
        assert ("{" in path) <= (visit.answers == 404 or method == "PUT"), path
        said = await api(method, path.format(**visit.path), stranger, **visit.sent())
        assert said.status == visit.answers, (method, path, said)
        assert str(said.status) in operation["responses"]
        answered = orjson.dumps(said.body).decode()
        if method != "PUT":
            assert SECRET not in answered, (method, path)

    assert await _contents(api) == before


async def test_without_a_credential_no_route_but_health_answers(api: Api) -> None:
    acme = await _acme(api, await api.key(ACME))
    document = (await api("GET", "/openapi.json")).fine()
    for method, path, operation in operations(document):
        visit = acme.visits()[operation["operationId"]]
        said = await api(method, path.format(**visit.path), **visit.sent())
        if operation["security"]:
            said.problem(401, "unauthenticated")
        else:
            assert path.startswith("/health/")
            said.fine()


@pytest.mark.parametrize("scope", Scope)
async def test_without_its_scope_no_route_answers(api: Api, scope: Scope) -> None:
    """With ACME's own ids and key, so that nothing but the scope stands against it."""
    acme = await _acme(api, await api.key(ACME))
    all_but_one = await api.key(ACME, *(each for each in Scope if each is not scope))
    document = (await api("GET", "/openapi.json")).fine()
    met = 0
    for method, path, operation in operations(document):
        if f"the scope `{scope}`" in operation.get("description", ""):
            visit = acme.visits()[operation["operationId"]]
            said = await api(method, path.format(**visit.path), all_but_one, **visit.sent())
            assert said.problem(403, "missing_scope")["detail"] == f"the scope `{scope}` is needed"
            met += 1
    assert met


async def test_a_company_cannot_be_named_in_a_request(api: Api) -> None:
    stranger = await api.key(OTHER)
    asked = {"cadenceKey": "welcome", "contactId": "ana", "companyId": ACME}
    (await api("POST", "/v1/enrollments", stranger, json=asked)).problem(422, "invalid_request")
    (await api("GET", f"/v1/cadences?companyId={ACME}", stranger)).problem(422, "invalid_request")
    (await api("GET", f"/v1/enrollments/{uuid4()}", stranger, headers={"X-Company": ACME})).problem(
        404, "enrollment_not_found"
    )
