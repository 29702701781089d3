"""Template variables, filled for one contact."""

import pytest

from cadence_engine.domain.cadence import Literally, Lookup, Scalar, Source, Template, Variable
from cadence_engine.domain.facts import Facts
from cadence_engine.domain.templates import MAX_VALUE, MENDED_BY, MissingVariable, fill

FACTS = Facts(contact_id="ana", name="Ana", locale="pt-BR", company_id="acme", company_name="Acme", board_id="b1")


def filled(variable: Variable, context: dict[str, Scalar] | None = None, facts: Facts = FACTS) -> str:
    return fill(Template("t", "marketing", {"x": variable}), facts, context or {})["x"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        (Literally("hello"), "hello"),
        (Lookup(Source.CONTACT, "name"), "Ana"),
        (Lookup(Source.COMPANY, "name"), "Acme"),
        (Lookup(Source.LEAD, "boardId"), "b1"),
        (Lookup(Source.CONTEXT, "product"), "pro"),
        (Lookup(Source.CONTEXT, "amount"), "49.9"),
        (Lookup(Source.CONTEXT, "whole"), "50"),
        (Lookup(Source.CONTEXT, "gift"), "true"),
        (Lookup(Source.CONTEXT, "nothing", fallback="else"), "else"),
        (Lookup(Source.CONTACT, "phone", fallback="else"), "else"),
    ],
)
def test_sources(variable: Variable, value: str) -> None:
    assert filled(variable, {"product": "pro", "amount": 49.9, "whole": 50.0, "gift": True}) == value


@pytest.mark.parametrize(
    ("source", "field", "mended_by"),
    [(Source.CONTACT, "phone", "contact.updated"), (Source.COMPANY, "locale", "company.updated")],
)
def test_a_value_that_is_missing_names_the_variable_where_it_was_looked_for_and_what_to_do(
    source: Source, field: str, mended_by: str
) -> None:
    said = rf"variable x needs {source}\.{field}, and has no `else`: send {mended_by} with it"
    with pytest.raises(MissingVariable, match=said):
        filled(Lookup(source, field))


def test_each_source_says_how_a_missing_value_comes() -> None:
    assert set(MENDED_BY) == set(Source)


def test_the_contact_name_is_always_there_when_it_is_known() -> None:
    assert fill(Template("t", "marketing", {}), FACTS, {}) == {"contactName": "Ana"}
    assert fill(Template("t", "marketing", {}), Facts(contact_id="x"), {}) == {}


def test_values_fit_whatsapp() -> None:
    name = Lookup(Source.CONTACT, "name")
    assert filled(name, facts=Facts("x", name="Ana\n\tde     Souza ")) == "Ana de Souza"
    assert filled(name, facts=Facts("x", name="Ana \n   Souza")) == "Ana Souza"
    assert fill(Template("t", "marketing", {}), Facts("x", name="  "), {}) == {}
    assert len(filled(name, facts=Facts("x", name="a" * 5000))) == MAX_VALUE
    with pytest.raises(MissingVariable):
        filled(name, facts=Facts("x", name=" \n "))


def test_the_language_of_a_contact() -> None:
    assert FACTS.language("en_US") == "pt_BR"
    assert Facts("x", company_locale="es-MX").language("en_US") == "es_MX"
    assert Facts("x").language("en_US") == "en_US"
