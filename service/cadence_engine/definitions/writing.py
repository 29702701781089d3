"""A definition as YAML that can be applied again, with nothing in it that is a default.

The same definition is the same text: names whose order means nothing are sorted.
"""

from collections.abc import Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from cadence_engine.definitions.durations import write_elapsed, write_wait
from cadence_engine.definitions.meaning import default_reentry
from cadence_engine.domain.cadence import Definition, Literally, Reentry, Scalar, Step, Template, Trigger, Variable


def write(definition: Definition, *, company_id: str | None = None) -> str:
    """YAML that means `definition`, for that company if one is given."""
    stream = StringIO()
    yaml = YAML()
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    owner = {} if company_id is None else {"company": company_id}
    yaml.dump(owner | as_written(definition), stream)
    return stream.getvalue()


def as_written(definition: Definition) -> dict[str, Any]:
    """The keys and values of the document."""
    usual_reentry = definition.reentry == default_reentry(definition.trigger.event)
    keys = {
        "key": definition.key,
        "name": definition.name,
        "trigger": _trigger(definition.trigger),
        "reentry": None if usual_reentry else _reentry(definition.reentry),
        "cancelOn": None if definition.cancel_on_reply else [],
        "replyGrace": write_elapsed(definition.reply_grace) if definition.reply_grace else None,
        "sendWithin": write_elapsed(definition.send_within),
        "language": definition.language,
        "steps": [_step(step) for step in definition.steps],
        "onCompletion": {"addTags": list(definition.completion_tags)} if definition.completion_tags else None,
    }
    return {key: value for key, value in keys.items() if value is not None}


def _trigger(trigger: Trigger) -> dict[str, Any]:
    keys: dict[str, Any] = {"event": trigger.event}
    if trigger.where:
        keys["where"] = {name: _one_or_all(values) for name, values in sorted(trigger.where.items())}
    if trigger.after is not None:
        keys["after"] = write_wait(trigger.after)
    return keys


def _one_or_all(values: tuple[Scalar, ...]) -> Scalar | list[Scalar]:
    return values[0] if len(values) == 1 else list(values)


def _reentry(reentry: Reentry) -> str | dict[str, str]:
    return reentry.rule.value if reentry.after is None else {"after": write_wait(reentry.after)}


def _step(step: Step) -> dict[str, Any]:
    return {"key": step.key, "wait": write_wait(step.wait), "template": _template(step.template)}


def _template(template: Template) -> dict[str, Any]:
    keys: dict[str, Any] = {"id": template.id, "category": template.category}
    if template.variables:
        keys["variables"] = {name: _variable(variable) for name, variable in sorted(template.variables.items())}
    return keys


def _variable(variable: Variable) -> str | Mapping[str, str]:
    if isinstance(variable, Literally):
        return variable.text
    looked_up = {"from": f"{variable.source.value}.{variable.field}"}
    return looked_up if variable.fallback is None else {**looked_up, "else": variable.fallback}
