"""A file of definitions, whole and checked, or all that is wrong with it."""

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from cadence_engine.definitions import explain
from cadence_engine.definitions.meaning import definition_of
from cadence_engine.definitions.problems import BadDefinitions, Mark, Path, Problem
from cadence_engine.definitions.reading import Document, read
from cadence_engine.definitions.rules import broken_rules
from cadence_engine.definitions.shape import CadenceShape
from cadence_engine.domain.cadence import Definition


@dataclass(frozen=True, slots=True)
class CompanyDefinition:
    """A definition and the company that it is for."""

    company_id: str
    definition: Definition


def load(texts: Iterable[tuple[str, str]], company_id: str | None) -> list[CompanyDefinition]:
    """The definitions of (file name, text) pairs, in their order.

    `company_id` is for documents that name no company; one that names another is refused. Raises BadDefinitions with
    the problems of all files.
    """
    loaded: list[CompanyDefinition] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, str], str] = {}
    for file, text in texts:
        found: list[Problem] = []
        documents = read(text, file)
        for document in documents:
            definition = _definition(document, company_id)
            if definition is not None:
                _once(definition, document, seen)
                loaded.append(definition)
            found += document.problems
        if not documents:
            empty = Document(file)
            empty.problem((), "no definition in it: see `cadence-engine show` for one")
            found += empty.problems
        problems += _one_for_each_place(found)
    if problems:
        raise BadDefinitions(problems)
    return loaded


def _definition(document: Document, company_id: str | None) -> CompanyDefinition | None:
    if document.content is None:
        return None
    if not isinstance(document.content, dict):
        document.problem((), "must be a mapping with keys such as key, name, trigger and steps")
        return None
    for path, message in broken_rules(document.content):
        document.problem(path, message)
    owner = _owner(document, document.content.get("company"), company_id)
    try:
        written = CadenceShape.model_validate(document.content)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False, include_input=False):
            path = explain.path_of(error)
            mark = document.of_key(path) if explain.about_a_key(error) else document.of(path)
            document.problem(path, explain.message_of(error), mark)
        return None
    return CompanyDefinition(owner, definition_of(written)) if owner is not None else None


def _owner(document: Document, named: object, company_id: str | None) -> str | None:
    if named is None:
        if company_id is None:
            document.problem((), "no company: write `company: ID`, or give --company")
        return company_id
    if company_id is not None and named != company_id:
        document.problem(("company",), f"is for {named}, but --company says {company_id}: leave one of them out")
    return named if isinstance(named, str) else None


def _once(loaded: CompanyDefinition, document: Document, seen: dict[tuple[str, str], str]) -> None:
    identity = (loaded.company_id, loaded.definition.key)
    place = f"{document.file}:{document.of(('key',)).line}"
    first = seen.setdefault(identity, place)
    if first != place:
        document.problem(("key",), f"`{loaded.definition.key}` is defined before, at {first}: a key names one cadence")


def _one_for_each_place(problems: list[Problem]) -> list[Problem]:
    """By line; where two rules speak of one place, the first is the cause of the other."""
    first: dict[tuple[Mark, Path], Problem] = {}
    for problem in problems:
        first.setdefault((problem.mark, problem.path), problem)
    return sorted(first.values(), key=lambda problem: (problem.mark.line, problem.mark.column))
