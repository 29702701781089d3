"""Writes `events.jsonl`, always the same: `python -m cadence_engine.devstack.demo.write_events`."""

import base64
import json
import sys
from itertools import cycle
from typing import Any

from cadence_contracts import topics
from cadence_contracts.inbound import CompanyUpdated
from cadence_engine.devstack.demo.cast import ACAI, AZUL, CRM, PORTO, SHOPS, Contact, Shop, Writing
from cadence_engine.devstack.demo.script import EVENTS
from cadence_engine.devstack.demo.stories import (
    EVERYWHERE,
    LEADS,
    LONG,
    Stories,
    finishes,
    replies_after_the_first_step,
)

FIRST_SECOND, SECONDS = 1.0, 12.0
"""When the first contact appears, and within how many seconds all others do."""
EARLY_SECONDS = 7.0
"""The same for those whose story is long."""
NAMESAKES = 6
"""Ids that two companies both use, for different people: one replies, the other goes on."""
WON_BACK = 3
"""Old contacts whom an operator puts in a cadence by hand."""


def write() -> str:
    """The whole file."""
    writing = Writing()
    for shop in SHOPS:
        told = CompanyUpdated(company_id=shop.id, name=shop.name, time_zone=shop.zone, locale=shop.locale)
        writing.publish(0.0, told, CRM)
    for shop in SHOPS:
        _contacts(writing, shop, EVERYWHERE, SECONDS)
        _contacts(writing, shop, LONG, EARLY_SECONDS)
    _contacts(writing, PORTO, LEADS, EARLY_SECONDS)
    _namesakes(writing)
    _won_back(writing)
    _strange_but_right(writing)
    _broken(writing)
    lines = sorted(writing.lines, key=lambda line: float(line["at"]))
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)


def _contacts(writing: Writing, shop: Shop, stories: Stories, seconds: float) -> None:
    for story, contacts in stories:
        for _ in range(contacts):
            at = FIRST_SECOND + writing.random.random() * seconds
            story(Contact(writing, shop, f"c-{next(writing.ids):04}", at))


def _namesakes(writing: Writing) -> None:
    for number in range(1, NAMESAKES + 1):
        replies_after_the_first_step(Contact(writing, ACAI, f"whatsapp-{number}", FIRST_SECOND + number))
        finishes(Contact(writing, AZUL, f"whatsapp-{number}", FIRST_SECOND + number + 0.5))


def _won_back(writing: Writing) -> None:
    for number in range(1, WON_BACK + 1):
        contact = Contact(writing, ACAI, f"old-{number}", FIRST_SECOND)
        contact.is_known()
        writing.command(3.0 + number, "enroll", "win-back", contact.id, "--company", ACAI.id, "--actor", "ana")


def _strange_but_right(writing: Writing) -> None:
    """Nothing here may be a dead letter."""
    unheard_of = Contact(writing, AZUL, "c-strange-1", 2.2).is_created()
    unheard_of.setdefault("headers", {"content-type": "application/cloudevents+json"})
    unheard_of["headers"]["x-request"] = {"base64": base64.b64encode(b"\xff\x00\xfe").decode()}
    unreadable_phone = Contact(writing, PORTO, "c-strange-2", 2.4).is_created()
    _data(unreadable_phone)["phone"] = "call me"
    more_fields = Contact(writing, ACAI, "c-strange-3", 2.6).is_created()
    _data(more_fields).update(favouriteFruit="cupuaçu", loyalty={"points": 310})
    nowhere = Contact(writing, ACAI, "c-strange-4", 2.8).is_created()
    _data(nowhere)["timeZone"] = "America/Nowhere"


def _data(line: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = line["value"]
    inner: dict[str, Any] = value.get("data", value)
    return inner


def _broken(writing: Writing) -> None:
    at = cycle(2.0 + 1.1 * step for step in range(12))
    event = {"specversion": "1.0", "id": "x", "source": CRM, "type": topics.CONTACT_CREATED}
    data = {"companyId": ACAI.id, "contactId": "c-broken"}
    unfinished = json.dumps(event | {"data": data})[:-3]
    cut_off = "not_json"
    for topic in (topics.CONTACT_CREATED, topics.MESSAGE_RECEIVED, topics.PURCHASE_COMPLETED):
        writing.broken(next(at), topic, cut_off, unfinished)
    writing.broken(next(at), topics.CONTACT_CREATED, cut_off, "companyId=acai-do-norte&contactId=c-broken")
    writing.broken(next(at), topics.MESSAGE_RECEIVED, cut_off, "<message/>", **{"content-type": "application/xml"})
    writing.broken(next(at), topics.CONTACT_CREATED, "not_cloudevent", data)
    writing.broken(next(at), topics.PURCHASE_COMPLETED, "not_cloudevent", {**event, "id": "", "data": data})
    writing.broken(next(at), topics.CONTACT_UPDATED, "not_cloudevent", data, **{"content-type": "application/json"})
    writing.broken(next(at), topics.CONTACT_CREATED, "unknown_type", event | {"type": "contact.cloned", "data": data})
    writing.broken(next(at), topics.MESSAGE_RECEIVED, "unknown_type", event | {"data": data})
    writing.broken(next(at), topics.CONTACT_CREATED, "invalid_data", event | {"data": {"companyId": ACAI.id}})
    writing.broken(
        next(at), topics.CONTACT_CREATED, "invalid_data", event | {"data": data | {"name": ["Ana", "Silva"]}}
    )
    message = event | {"type": topics.MESSAGE_RECEIVED}
    writing.broken(
        next(at), topics.MESSAGE_RECEIVED, "invalid_data", message | {"data": data | {"direction": "sideways"}}
    )
    purchase = event | {"type": topics.PURCHASE_COMPLETED}
    writing.broken(next(at), topics.PURCHASE_COMPLETED, "invalid_data", purchase | {"data": data})
    writing.broken(next(at), topics.CONTACT_CREATED, "no_value", None)
    writing.broken(next(at), topics.CONTACT_DELETED, "no_value", None)


if __name__ == "__main__":
    EVENTS.write_text(write(), encoding="utf-8")
    sys.stdout.write(f"{EVENTS.name}: {EVENTS.stat().st_size // 1024} KiB\n")
