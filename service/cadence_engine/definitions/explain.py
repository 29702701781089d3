"""What pydantic found wrong, in the words of whoever writes a definition."""

from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from cadence_engine.definitions import shape
from cadence_engine.definitions.problems import Path

SHAPES: dict[Path, tuple[type[BaseModel], ...]] = {
    (): (shape.CadenceShape,),
    ("trigger",): (shape.TriggerShape,),
    ("reentry",): (shape.AfterShape,),
    ("steps", "*"): (shape.StepShape,),
    ("steps", "*", "template"): (shape.TemplateShape,),
    ("steps", "*", "template", "variables", "*"): (shape.LookupShape, shape.LiteralShape),
    ("onCompletion",): (shape.CompletionShape,),
}

SAYS = {
    "string_type": "must be text: put it in quotes",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a mapping of names to values",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def path_of(error: ErrorDetails) -> Path:
    """Where in the document."""
    places = error["loc"][:-1] if _is_key(error) else error["loc"]
    return tuple(part for part in places if not (isinstance(part, str) and part.startswith("\0")))


def about_a_key(error: ErrorDetails) -> bool:
    """Whether the key itself is wrong, rather than its value."""
    return error["type"] == "extra_forbidden" or _is_key(error)


def _is_key(error: ErrorDetails) -> bool:
    return error["type"] != "extra_forbidden" and error["loc"][-1:] == ("[key]",)


def message_of(error: ErrorDetails) -> str:
    """The rule, and what is allowed instead."""
    path = path_of(error)
    match error["type"]:
        case "rule":
            return str(error["ctx"]["rule"])
        case "missing":
            return f"is missing: {_field(path).description}"
        case "extra_forbidden":
            allowed = [name for model in _shapes(path[:-1]) for name in _fields(model)]
            if path[-1] in allowed:
                return "either `from` (with or without `else`) or `value`, not both"
            return f"is no key here{shape.close_to(str(path[-1]), allowed)} (allowed: {', '.join(allowed)})"
        case "model_type" | "model_attributes_type":
            keys = [name for model in _shapes(path) for name in _fields(model)]
            return f"must be a mapping with the keys {', '.join(keys)}"
    said = SAYS.get(error["type"])
    return said.format(**error.get("ctx", {})) if said else error["msg"]


def _shapes(path: Path) -> tuple[type[BaseModel], ...]:
    in_variables = len(path) == 5 and path[3] == "variables"
    general = tuple("*" if isinstance(part, int) else part for part in path)
    return SHAPES[(*general[:4], "*")] if in_variables else SHAPES[general]


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _field(path: Path) -> Any:
    return next(fields[str(path[-1])] for model in _shapes(path[:-1]) if str(path[-1]) in (fields := _fields(model)))
