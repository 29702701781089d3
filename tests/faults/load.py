"""What happens to the contacts of a run: everything drawn from one seed."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

COMPANIES = ("acme", "bravo")
ZONES = ("America/Sao_Paulo", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe")


@dataclass(frozen=True, slots=True)
class Planned:
    """One event to publish, `at` seconds after the beginning."""

    at: float
    type: str
    id: str
    data: Mapping[str, Any]


def draw(seed: int, *, contacts: int, seconds: float) -> list[Planned]:
    """The events of so many contacts, each known in both companies under the same id, in the order of their times.

    The contacts appear over `seconds`; what they do takes some seconds more.
    """
    rng = random.Random(seed)
    planned = [
        event
        for number in range(contacts)
        for company in COMPANIES
        for event in _life(rng, company, number, rng.uniform(0, seconds))
    ]
    again = [Planned(e.at + rng.uniform(0, 2), e.type, e.id, e.data) for e in planned if rng.random() < 0.1]
    return sorted([*planned, *again], key=lambda event: event.at)


def _life(rng: random.Random, company: str, number: int, begins: float) -> Iterator[Planned]:
    who = {"companyId": company, "contactId": f"c{number}"}
    count = 0

    def event(type_: str, at: float, **more: Any) -> Planned:
        nonlocal count
        count += 1
        return Planned(at, type_, f"{company}-{number}-{count}", {**who, **more})

    def purchase(at: float) -> Planned:
        product = "starter" if rng.random() < 0.8 else "other"
        return event("purchase.completed", at, purchaseId=f"p{number}-{count}", product=product)

    if rng.random() < 0.1:
        yield purchase(begins - rng.uniform(0, 1.5))
    phone = f"+5511{COMPANIES.index(company)}{number:08d}"
    yield event("contact.created", begins, phone=phone, name=f"{company} {number}", timeZone=rng.choice(ZONES))
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        yield purchase(begins + rng.uniform(0, 4))
    if rng.random() < 0.15:
        yield event("message.received", begins + rng.uniform(0, 4), direction="outbound")
    fate = rng.random()
    if fate < 0.25:
        yield event("message.received", begins + rng.uniform(0, 4), messageId=f"m{number}")
    elif fate < 0.45:  # close to a due time
        yield event("message.received", begins + rng.choice((1, 1, 2, 3)) + rng.uniform(-0.1, 0.3))
    elif fate < 0.53:
        stops = begins + rng.uniform(0, 4)
        yield event("contact.preferences.changed", stops, marketing="stop")
        if rng.random() < 0.5:
            yield event("contact.preferences.changed", stops + 1, marketing="resume")
            yield purchase(stops + 1.5)
    elif fate < 0.6:
        yield event("contact.deleted", begins + rng.uniform(0, 4))
