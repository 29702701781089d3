"""Who is in the demo: three companies, their contacts, and what a contact can do; each act becomes a line.

The people are made up. Their numbers begin with an area code of zeros, which no country has: nobody can be called.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from cadence_contracts import write_record
from cadence_contracts.inbound import (
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

CRM, WHATSAPP, SHOP, BOARD = "/crm", "/whatsapp-gateway", "/shop", "/sales-board"
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
