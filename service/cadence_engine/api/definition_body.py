"""A definition as the body of a request, in JSON or YAML."""

from asyncio import to_thread
from collections.abc import Sequence

from cadence_engine.api.operation import TextBody
from cadence_engine.api.problems import Code, Problem, Wrong, pointer
from cadence_engine.definitions.load import CompanyDefinition, load
from cadence_engine.definitions.problems import BadDefinitions
from cadence_engine.definitions.shape import CadenceShape
from cadence_engine.domain.cadence import Definition


class CadenceDefinition(CadenceShape):
    """A definition as it is written, in JSON or YAML. Durations are ISO 8601 (`P3D`, `PT90M`)."""


DEFINITION = TextBody(CadenceDefinition, ("application/json", "application/yaml"))


async def definition_in(company_id: str, key: str, text: str) -> Definition:
    """The one definition that `text` holds, which is of that key. Raises Problem."""
    try:
        # Large texts take a while to read: other calls go on meanwhile.
        loaded = await to_thread(load, [("body", text)], company_id)
    except BadDefinitions as bad:
        raise Problem(Code.INVALID_DEFINITION, errors=_wrongs(bad)) from None
    return _only(loaded, key)


def _only(loaded: Sequence[CompanyDefinition], key: str) -> Definition:
    if len(loaded) != 1:
        raise _wrong_at("", f"holds {len(loaded)} definitions: send one at a time")
    definition = loaded[0].definition
    if definition.key != key:
        raise _wrong_at("/key", f"is `{definition.key}`, and the path says `{key}`: they must be the same")
    return definition


def _wrong_at(place: str, detail: str) -> Problem:
    return Problem(Code.INVALID_DEFINITION, errors=[Wrong(place="body", pointer=place, detail=detail)])


def _wrongs(bad: BadDefinitions) -> list[Wrong]:
    return [
        Wrong(
            place="body",
            pointer=pointer(problem.path),
            detail=problem.message,
            line=problem.mark.line,
            column=problem.mark.column,
        )
        for problem in bad.problems
    ]
