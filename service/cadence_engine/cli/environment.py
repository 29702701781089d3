"""Says which environment variable is wrong, without showing what it holds."""

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from cadence_engine.settings import Settings


def is_about_settings(error: ValidationError) -> bool:
    """Whether the error came from reading the environment."""
    return error.title == Settings.__name__


def explain(error: ValidationError) -> list[str]:
    """One line for each wrong variable: its name, what is wrong, and what is allowed."""
    variables = {variable_of(name, field): field for name, field in Settings.model_fields.items()}
    lines = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        named = str(problem["loc"][0]) if problem["loc"] else ""
        field = Settings.model_fields.get(named) or variables.get(named)
        variable = variable_of(named, Settings.model_fields[named]) if named in Settings.model_fields else named
        lines.append(f"{variable}: {_wrong(problem['type'], problem['msg'], field)}")
    return lines


def variable_of(name: str, field: FieldInfo) -> str:
    """The environment variable that sets a field of the settings."""
    alias = field.validation_alias
    return alias if isinstance(alias, str) else f"{Settings.model_config['env_prefix']}{name.upper()}"


def _wrong(kind: str, message: str, field: FieldInfo | None) -> str:
    allowed = f" ({field.description})" if field is not None and field.description else ""
    if kind == "missing":
        return f"is not set{allowed}"
    if field is not None and field.annotation is SecretStr:
        return f"is not a valid address{allowed}"  # the message of a refused address quotes it, password and all
    message = message.removeprefix("Value error, ")  # pydantic's word before ours
    return f"{message[:1].lower()}{message[1:]}{allowed}"
