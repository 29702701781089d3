"""From the keys as written to the domain's definition, defaults filled in."""

from cadence_engine.definitions import shape
from cadence_engine.domain.cadence import (
    INACTIVITY,
    Definition,
    Literally,
    Lookup,
    Reentry,
    ReentryRule,
    Source,
    Step,
    Template,
    Trigger,
    Variable,
    Wait,
)

CONTACT_CREATED = "contact.created"


def definition_of(written: shape.CadenceShape) -> Definition:
    """What a checked document means."""
    return Definition(
        key=written.key,
        name=written.name,
        trigger=Trigger(written.trigger.event, written.trigger.where or {}, written.trigger.after),
        reentry=_reentry(written.reentry, written.trigger.event),
        cancel_on_reply="reply" in written.cancel_on,
        reply_grace=written.reply_grace,
        send_within=written.send_within,
        language=written.language,
        steps=tuple(_step(step) for step in written.steps),
        completion_tags=tuple(written.on_completion.add_tags),
    )


def default_reentry(event: str) -> Reentry:
    """Where a definition does not say: once per created contact, and never again for a silence that nobody broke."""
    if event == CONTACT_CREATED:
        return Reentry(ReentryRule.NEVER)
    return Reentry(ReentryRule.NEW_ACTIVITY if event == INACTIVITY else ReentryRule.ALWAYS)


def _reentry(written: shape.AfterShape | str | None, event: str) -> Reentry:
    if written is None:
        return default_reentry(event)
    if isinstance(written, shape.AfterShape):
        return Reentry(ReentryRule.AFTER, written.after)
    return Reentry(ReentryRule(written))


def _step(written: shape.StepShape) -> Step:
    template = written.template
    return Step(
        key=written.key,
        wait=written.wait if written.wait is not None else Wait(days=written.offset_days or 0),
        template=Template(
            id=template.id,
            category=template.category,
            variables={name: _variable(variable) for name, variable in template.variables.items()},
        ),
    )


def _variable(written: shape.LookupShape | shape.LiteralShape | str) -> Variable:
    if isinstance(written, str):
        return Literally(written)
    if isinstance(written, shape.LiteralShape):
        return Literally(written.value)
    source, _, name = written.source.partition(".")
    return Lookup(Source(source), name, written.fallback)
