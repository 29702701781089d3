"""Whom a record names that cannot be understood: told only where there is no doubt."""

import base64
import json
from typing import Any

import pytest

from cadence_engine.bus.owner import NOBODY, Owner, owner_of

STRUCTURED = (("content-type", b"application/cloudevents+json"),)
BINARY = (("content-type", b"application/json"), ("ce_specversion", b"1.0"), ("ce_id", b"1"))
ANA = {"companyId": "acme", "contactId": "ana"}


def event(**changes: Any) -> bytes:
    whole = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "contact.created", "data": ANA}
    return json.dumps({name: value for name, value in (whole | changes).items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("value", "headers", "owner"),
    [
        (event(type="another.type"), STRUCTURED, Owner("acme", "ana")),
        (event(id=None), STRUCTURED, Owner("acme", "ana")),
        (event(data={"companyId": "acme"}), STRUCTURED, Owner("acme")),
        (event(data={"companyId": "acme", "contactId": 7}), STRUCTURED, Owner("acme")),
        (event(data={**ANA, "name": "\0"}), STRUCTURED, Owner("acme", "ana")),
        (json.dumps(ANA).encode(), (), Owner("acme", "ana")),
        (json.dumps({**ANA, "name": 7}).encode(), BINARY, Owner("acme", "ana")),
        (event(companyId="acme", id=None), STRUCTURED, NOBODY),  # acme without a contact, or acme's ana?
        (event(companyId="globex", id=None), STRUCTURED, NOBODY),
        (event(data=None, id=None, companyId="acme", data_base64=base64.b64encode(b"{}").decode()), (), NOBODY),
        (event(data={"contactId": "ana"}), STRUCTURED, NOBODY),
        (event(data={"companyId": ""}), STRUCTURED, NOBODY),
        (event(data={"companyId": "a" * 201}), STRUCTURED, NOBODY),
        (event(data={"companyId": "a\nb"}), STRUCTURED, NOBODY),
        (event(data={"companyId": ["acme"]}), STRUCTURED, NOBODY),
        (event()[:-1], STRUCTURED, NOBODY),
        (b"[" * 100_000, STRUCTURED, NOBODY),
        (b'{"companyId": "\xff"}', (), NOBODY),
        (b'["acme"]', (), NOBODY),
        (b"", (), NOBODY),
        (None, (), NOBODY),
    ],
)
def test_a_company_is_named_beyond_doubt_or_not_at_all(value: bytes | None, headers: Any, owner: Owner) -> None:
    assert owner_of(value, headers) == owner
