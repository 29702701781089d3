"""Writes `events.jsonl`, always the same: `python -m cadence_engine.devstack.demo.write_events`.

The people are made up. Their numbers begin with an area code of zeros, which no country has: nobody can be called.
"""

import base64
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, cycle
from random import Random
from typing import Any

from cadence_contracts import topics, write_record
from cadence_contracts.inbound import (
    CompanyUpdated,
    ContactCreated,
    ContactDeleted,
    ContactPreferencesChanged,
    ContactUpdated,
    Inbound,
    LeadCreated,
    MessageReceived,
    PurchaseCompleted,
)
from cadence_contracts.records import STRUCTURED_HEADERS
from cadence_engine.devstack.demo.script import EVENTS

CRM, WHATSAPP, SHOP, BOARD = "/crm", "/whatsapp-gateway", "/shop", "/sales-board"
FIRST_SECOND, SECONDS = 1.0, 12.0
"""When the first contact appears, and within how many seconds all others do."""
EARLY_SECONDS = 7.0
"""The same for those whose story is long."""
BINARY_EACH = 5

GIVEN_NAMES = """
    Ana Beatriz João Mariana Thiago Letícia Rafael Camila Gustavo Larissa Felipe Juliana Vinícius Fernanda Caio
    Isabela Mateus Luana Sofía Santiago Valentina Diego Camilo Ximena Lucía Andrés Guadalupe Emiliano Renata Joaquín
    Inês Tiago Matilde Duarte Zoë Łukasz Chloé Jürgen Søren Ángel Noémie Małgorzata
"""
FAMILY_NAMES = """
    Silva Souza Oliveira Pereira Almeida Ribeiro Carvalho Araújo Gonçalves Nascimento Moura Teixeira García
    Hernández Muñoz Peña Rodríguez Ibáñez Castañeda Núñez Ferreira Magalhães Simões Conceição Dubois Müller Kowalska
    Østergaard O'Neill D'Ávila
"""
PRODUCTS = ("starter", "basic")


@dataclass(frozen=True)
class Shop:
    """One of the three companies."""

    id: str
    name: str
    zone: str
    locale: str
    calling: str
    currency: str


SHOPS = (
    Shop("acai-do-norte", "Açaí do Norte", "America/Belem", "pt-BR", "+5500", "BRL"),
    Shop("mercado-azul", "Mercado Azul", "America/Mexico_City", "es-MX", "+52000", "MXN"),
    Shop("casa-do-porto", "Casa do Porto", "Europe/Lisbon", "pt-PT", "+351000", "EUR"),
)
ACAI, AZUL, PORTO = SHOPS


@dataclass
class Writing:
    """The lines so far, and what makes them differ."""

    random: Random = field(default_factory=lambda: Random(20_261_123))  # noqa: S311
    lines: list[dict[str, Any]] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=lambda: count(1))
    phones: Iterator[int] = field(default_factory=lambda: count(1_000_001))

    def publish(self, at: float, event: Inbound, source: str, **attributes: str) -> dict[str, Any]:
        """One record, every so often in binary mode; answers its line, for a repetition."""
        number = next(self.ids)
        written = write_record(
            event,
            id=f"{source[1:3]}-{number:04}",
            source=source,
            attributes=attributes,
            mode="structured" if number % BINARY_EACH else "binary",
        )
        line: dict[str, Any] = {"at": round(at, 2), "topic": written.topic, "key": written.key.decode()}
        if written.headers != list(STRUCTURED_HEADERS):
            line["headers"] = {name: value.decode() for name, value in written.headers}
        line["value"] = json.loads(written.value)
        self.lines.append(line)
        return line

    def again(self, at: float, line: dict[str, Any]) -> None:
        """The same record once more, as a producer that was not answered sends it."""
        self.lines.append(line | {"at": round(at, 2)})

    def broken(self, at: float, topic: str, reason: str, value: Any, **headers: str) -> None:
        """A record that is to become a dead letter. A text is written as it is, anything else as JSON."""
        line = {"at": round(at, 2), "topic": topic, "key": "broken"} | ({"headers": headers} if headers else {})
        self.lines.append(line | {"value": value, "broken": reason})

    def command(self, at: float, *arguments: str) -> None:
        """What an operator types after `cadence-engine`."""
        self.lines.append({"at": round(at, 2), "command": list(arguments)})


@dataclass
class Contact:
    """A person at a company, who appears at the second `at`."""

    writing: Writing
    shop: Shop
    id: str
    at: float

    def __post_init__(self) -> None:
        random = self.writing.random
        self.name = f"{random.choice(GIVEN_NAMES.split())} {random.choice(FAMILY_NAMES.split())}"
        self.phone = f"{self.shop.calling}{next(self.writing.phones)}"

    @property
    def _who(self) -> dict[str, Any]:
        return {"company_id": self.shop.id, "contact_id": self.id}

    def is_created(self, after: float = 0.0, **told: Any) -> dict[str, Any]:
        card = {"name": self.name, "phone": self.phone} | told
        if self.writing.random.random() < 0.2:
            card["locale"] = self.writing.random.choice(("pt-BR", "es-MX", "pt-PT", "en-GB", "fr-FR"))
        return self.writing.publish(self.at + after, ContactCreated(**self._who, **card), CRM)

    def is_updated(self, after: float = 0.0, **told: Any) -> None:
        self.writing.publish(self.at + after, ContactUpdated(**self._who, **told), CRM)

    def is_known(self) -> None:
        """As one who is no new contact: no cadence starts with it."""
        self.is_updated(name=self.name, phone=self.phone)

    def writes(self, after: float, direction: str | None = None) -> dict[str, Any]:
        told: dict[str, Any] = {"conversation_id": f"wa-{self.id}", "message_id": f"wamid.{next(self.writing.ids)}"}
        if direction is not None:
            told["direction"] = direction
        return self.writing.publish(self.at + after, MessageReceived(**self._who, **told), WHATSAPP)

    def wants(self, after: float, marketing: str) -> dict[str, Any]:
        event = ContactPreferencesChanged.model_validate(self._who | {"marketing": marketing})
        return self.writing.publish(self.at + after, event, CRM)

    def is_deleted(self, after: float) -> None:
        self.writing.publish(self.at + after, ContactDeleted(**self._who), CRM)

    def buys(self, after: float, product: str | None = None) -> dict[str, Any]:
        bought = {
            "purchase_id": f"order-{next(self.writing.ids)}",
            "product": product or self.writing.random.choice(PRODUCTS),
            "amount": f"{self.writing.random.randint(10, 400)}.90",
            "currency": self.shop.currency,
        }
        return self.writing.publish(self.at + after, PurchaseCompleted.model_validate(self._who | bought), SHOP)

    def is_a_lead(self, after: float, board: str = "sales") -> None:
        event = LeadCreated(company_id=self.shop.id, lead_id=f"lead-{self.id}", board_id=board, contact_id=self.id)
        self.writing.publish(self.at + after, event, BOARD)


# What happens to a contact. Steps of onboarding are due 4, 9 and 14 s after its creation, those of upsell 3 and 8 s
# after the purchase, those of leads 3 and 9 s after the lead: whatever stops them keeps a second or more from each.


def finishes(contact: Contact) -> None:
    contact.is_created()


def replies_before_the_first_step(contact: Contact) -> None:
    contact.is_created()
    contact.writes(3.0)


def replies_after_the_first_step(contact: Contact) -> None:
    contact.is_created()
    contact.writes(6.5)


def replies_after_the_second_step(contact: Contact) -> None:
    contact.is_created()
    contact.writes(11.5)


def becomes_known_by_a_message(contact: Contact) -> None:
    contact.is_created()
    contact.writes(0.4)


def becomes_known_by_a_message_and_replies(contact: Contact) -> None:
    becomes_known_by_a_message(contact)
    contact.writes(6.5)


def is_written_to(contact: Contact) -> None:
    contact.is_created()
    contact.writes(6.5, direction="outbound")


def opts_out(contact: Contact) -> None:
    contact.is_created()
    contact.wants(6.5, "stop")


def opted_out_before(contact: Contact) -> None:
    contact.wants(0.0, "stop")
    contact.is_created(2.0)


def is_deleted(contact: Contact) -> None:
    contact.is_created()
    contact.is_deleted(6.5)


def is_renamed(contact: Contact) -> None:
    contact.is_created()
    contact.is_updated(6.5, name=f"{contact.name} Filho", locale="en-GB")


def tells_the_phone_later(contact: Contact) -> None:
    contact.is_created(phone=None)
    contact.is_updated(6.5, phone=contact.phone)


def never_tells_a_phone(contact: Contact) -> None:
    contact.is_created(phone=None)


def is_announced_twice(contact: Contact) -> None:
    contact.writing.again(contact.at + 2.0, contact.is_created())


def buys(contact: Contact) -> None:
    contact.is_created()
    contact.buys(1.5)


def buys_and_is_billed_twice(contact: Contact) -> None:
    contact.is_created()
    contact.writing.again(contact.at + 16.0, contact.buys(1.5))


def buys_a_gift_card(contact: Contact) -> None:
    contact.is_created()
    contact.buys(1.5, "gift-card")


def buys_and_replies(contact: Contact) -> None:
    contact.is_created()
    contact.buys(1.5)
    contact.writes(7.0)


def buys_before_being_known(contact: Contact) -> None:
    contact.buys(0.0)
    contact.is_created(6.0)


def buys_and_is_never_known(contact: Contact) -> None:
    contact.buys(0.0)


def replies_then_buys(contact: Contact) -> None:
    contact.is_created()
    reply = contact.writes(6.5)
    contact.buys(8.0)
    contact.writing.again(contact.at + 9.5, reply)


def changes_their_mind(contact: Contact) -> None:
    contact.is_created()
    stop = contact.wants(6.5, "stop")
    contact.wants(8.0, "resume")
    contact.buys(9.0)
    contact.writing.again(contact.at + 10.5, stop)


def is_a_lead(contact: Contact) -> None:
    contact.is_known()
    contact.is_a_lead(1.0)


def is_a_lead_and_replies(contact: Contact) -> None:
    is_a_lead(contact)
    contact.writes(6.5)


def is_a_lead_without_a_name(contact: Contact) -> None:
    contact.is_updated(phone=contact.phone)
    contact.is_a_lead(1.0)
    contact.is_updated(6.5, name=contact.name)


def is_a_lead_elsewhere(contact: Contact) -> None:
    contact.is_known()
    contact.is_a_lead(1.0, board="support")


Story = Callable[[Contact], None]

EVERYWHERE: tuple[tuple[Story, int], ...] = (
    (finishes, 24),
    (replies_before_the_first_step, 9),
    (replies_after_the_first_step, 12),
    (replies_after_the_second_step, 9),
    (becomes_known_by_a_message, 4),
    (becomes_known_by_a_message_and_replies, 3),
    (is_written_to, 4),
    (opts_out, 4),
    (opted_out_before, 2),
    (is_deleted, 3),
    (is_renamed, 3),
    (tells_the_phone_later, 2),
    (never_tells_a_phone, 1),
    (is_announced_twice, 3),
    (buys, 6),
    (buys_a_gift_card, 2),
    (buys_and_replies, 3),
)
LONG: tuple[tuple[Story, int], ...] = (
    (buys_and_is_billed_twice, 2),
    (buys_before_being_known, 2),
    (buys_and_is_never_known, 1),
    (replies_then_buys, 2),
    (changes_their_mind, 2),
)
LEADS: tuple[tuple[Story, int], ...] = (
    (is_a_lead, 6),
    (is_a_lead_and_replies, 4),
    (is_a_lead_without_a_name, 2),
    (is_a_lead_elsewhere, 1),
)
"""Of Casa do Porto alone, whose sales board starts a cadence."""
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


def _contacts(writing: Writing, shop: Shop, stories: tuple[tuple[Story, int], ...], seconds: float) -> None:
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
