"""The samples of the docs page, pasted into a shell."""

import asyncio
import html
import os
import re
import shutil

import pytest

from tests.api.conftest import ACME, DEFINITION, Api

SAMPLE = re.compile(r"<h3 id=\"(\w+)\">.*?<pre>(curl .*?)</pre>", re.DOTALL)
NOT_UNDERSTOOD = {
    "bad_http",
    "invalid_csv",
    "invalid_definition",
    "invalid_request",
    "method_not_allowed",
    "no_such_route",
    "not_json",
    "unsupported_media_type",
}
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl, as whoever pastes the samples does")


async def _paste(text: str, **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", text),
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_each_is_understood_as_it_stands(api: Api) -> None:
    key = await api.key()
    await api.published(key)
    await api.known("ana")
    enrolled = await api("POST", "/v1/enrollments", key, json={"cadenceKey": "welcome", "contactId": "ana"})
    (await api("PUT", "/v1/drafts/welcome", key, json=DEFINITION)).fine()
    samples = {name: html.unescape(text) for name, text in SAMPLE.findall((await api("GET", "/docs")).fine())}
    assert set(samples) == {
        operation["operationId"]
        for methods in (await api("GET", "/openapi.json")).fine()["paths"].values()
        for operation in methods.values()
    }
    environment = {
        "CADENCE_API": api.url,
        "CADENCE_KEY": key,
        "KEY": "welcome",
        "CONTACT_ID": "ana",
        "ENROLLMENT_ID": enrolled.fine(201)["enrollmentId"],
        "TOPIC": "contact.created",
        "PARTITION": "0",
        "OFFSET": "7",
        "IF_MATCH": '"1"',
        "IDEMPOTENCY_KEY": "monday",
    }
    script = "\n".join(f"echo '## {name}'; {text} -sS; echo" for name, text in samples.items())

    code, out, err = await _paste(script, **environment)

    assert (code, err) == (0, "")
    told = dict(part.split("\n", 1) for part in out.split("## ")[1:])
    assert set(told) == set(samples)
    misunderstood = {name: said for name, said in told.items() for code in NOT_UNDERSTOOD if f'"{code}"' in said}
    assert not misunderstood


async def test_what_is_not_set_is_asked_for(api: Api) -> None:
    page = (await api("GET", "/docs")).fine()
    (sample,) = [html.unescape(text) for name, text in SAMPLE.findall(page) if name == "why_about_contact"]
    code, out, err = await _paste(sample, CADENCE_API=api.url, CADENCE_KEY=await api.key(ACME))
    assert (code != 0, out) == (True, "")
    assert "CONTACT_ID" in err
