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


async def definition_in(company_id: str, key: str, text: str, *, within: str = "") -> Definition:
    """The one definition that `text` holds, which is of that key. Raises Problem.

    `within`: JSON Pointer to where the body holds it; "" where it is the body.
    """
    try:
        # Large texts take a while to read: other calls go on meanwhile.
        loaded = await to_thread(load, [("body", text)], company_id)
    except BadDefinitions as bad:
        raise Problem(Code.INVALID_DEFINITION, errors=_wrongs(bad, within)) from None
    return _only(loaded, key, within)


def _only(loaded: Sequence[CompanyDefinition], key: str, within: str) -> Definition:
    if len(loaded) != 1:
        raise _wrong_at(within, f"holds {len(loaded)} definitions: send one at a time")
    definition = loaded[0].definition
    if definition.key != key:
        raise _wrong_at(f"{within}/key", f"is `{definition.key}`, and the path says `{key}`: they must be the same")
    return definition


def _wrong_at(place: str, detail: str) -> Problem:
    return Problem(Code.INVALID_DEFINITION, errors=[Wrong(place="body", pointer=place, detail=detail)])


def _wrongs(bad: BadDefinitions, within: str) -> list[Wrong]:
    return [
        Wrong(
            place="body",
            pointer=within + pointer(problem.path),
            detail=problem.message,
            # Of a part of the body they would be those of no text that the caller has.
            line=None if within else problem.mark.line,
            column=None if within else problem.mark.column,
        )
        for problem in bad.problems
    ]
