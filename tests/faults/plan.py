"""The cadences of a run: as the oracle understands them, and as the engine is given them."""

from collections.abc import Iterable
from datetime import timedelta

from tests.faults.oracle.definitions import Cadence, Step


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def cadence(company: str, key: str, trigger: str, *waits: float, days: int = 0, **more: object) -> Cadence:
    """A cadence with a step for each wait in seconds; the last one waits `days` as well."""
    steps = [
        Step(f"step-{n}", f"{key}_{n}", days if n == len(waits) else 0, seconds(wait))
        for n, wait in enumerate(waits, start=1)
    ]
    return Cadence(company, key, trigger, tuple(steps), **more)  # type: ignore[arg-type]


CADENCES = (
    cadence("acme", "welcome", "contact.created", 0, 1, 2, reentry="never"),
    cadence("acme", "patient", "contact.created", 0.5, 0, days=1, reentry="never", cancels_on_reply=False),
    cadence("acme", "upsell", "purchase.completed", 1, 1.5, where={"product": "starter"}),
    cadence("bravo", "welcome", "contact.created", 1, 1, reentry="never", reply_grace=seconds(1)),
    cadence("bravo", "upsell", "purchase.completed", 0, 3, where={"product": "starter"}),
)
"""Waits of 0 to 3 s; the last step of `patient` is due a local day later, after any run."""


def as_yaml(cadences: Iterable[Cadence]) -> str:
    """For `cadence-engine apply`: a document each."""
    return "---\n".join(map(_document, cadences))


def _document(cadence: Cadence) -> str:
    where = ", ".join(f"{name}: {value}" for name, value in cadence.where.items())
    variables = f"{{contactName: {{from: contact.name, else: {cadence.nameless}}}}}"
    lines = [
        f"company: {cadence.company}",
        f"key: {cadence.key}",
        f"name: {cadence.key}",
        f"trigger: {{event: {cadence.trigger}{f', where: {{{where}}}' if where else ''}}}",
        f"reentry: {cadence.reentry}",
        f"cancelOn: [{'reply' if cadence.cancels_on_reply else ''}]",
        f"replyGrace: {_duration(0, cadence.reply_grace)}",
        f"language: {cadence.language}",
        "steps:",
        *(
            f"  - {{key: {step.key}, wait: {_duration(step.days, step.elapsed)}, template: "
            f"{{id: {step.template}, category: marketing, variables: {variables}}}}}"
            for step in cadence.steps
        ),
    ]
    return "\n".join(lines) + "\n"


def _duration(days: int, elapsed: timedelta) -> str:
    exact = f"T{elapsed.total_seconds():g}S"
    return f"P{days}D{exact if elapsed else ''}" if days else f"P{exact}"
