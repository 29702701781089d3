"""What the records have told about a contact and its company, and since when."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cadence_engine.domain.cadence import Literally, Lookup, Scalar, Source, Step, Template, Variable


@dataclass(slots=True)
class Told:
    """The history of each field; the newest word counts."""

    words: dict[str, list[tuple[datetime, str | None]]] = field(default_factory=lambda: defaultdict(list))

    def tell(self, name: str, value: str | None, at: datetime) -> None:
        self.words[name].append((at, value))

    def at(self, name: str, at: datetime) -> str | None:
        """The value as told up to `at`."""
        known = [word for word in self.words[name] if word[0] <= at]
        return max(known, key=lambda word: word[0])[1] if known else None

    def between(self, name: str, since: datetime, until: datetime) -> set[str | None]:
        """All values that somebody who looked within that time may have found."""
        return {self.at(name, since), *(value for at, value in self.words[name] if since < at <= until)}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a passage's sends are filled with."""

    contact: Told
    company: Told
    lead: Mapping[str, Scalar]
    context: Mapping[str, Scalar]

    def obstacle(self, step: Step, at: datetime) -> str | None:
        """Why the step cannot be sent with what is known at `at`: the contract's reason for parking."""
        if any(None in self._texts(variable, at, at) for variable in step.template.variables.values()):
            return "missing_variable"
        if self.contact.at("phone", at) is None and self.contact.at("conversation", at) is None:
            return "unreachable"
        return None

    def variables(self, template: Template, since: datetime, until: datetime) -> dict[str, set[str | None]]:
        """The texts that each variable may have; the contact's name is always told where it is known."""
        texts = {name: self._texts(variable, since, until) for name, variable in template.variables.items()}
        names = self.contact.between("name", since, until)
        return texts if names == {None} else {"contactName": names} | texts

    def languages(self, default: str | None, since: datetime, until: datetime) -> set[str | None]:
        """The template languages that are right: the definition's, else the contact's, else the company's."""
        if default is not None:
            return {default}
        companys = self.company.between("locale", since, until)
        told = {own or other for own in self.contact.between("locale", since, until) for other in companys}
        return {locale and locale.replace("-", "_") for locale in told}

    def _texts(self, variable: Variable, since: datetime, until: datetime) -> set[str | None]:
        if isinstance(variable, Literally):
            return {variable.text}
        return {value or variable.fallback for value in self._values(variable, since, until)}

    def _values(self, lookup: Lookup, since: datetime, until: datetime) -> Iterable[str | None]:
        match lookup.source:
            case Source.CONTACT:
                return self.contact.between(lookup.field, since, until)
            case Source.COMPANY:
                return self.company.between(lookup.field, since, until)
            case Source.LEAD:
                return {_text(self.lead.get(lookup.field))}
            case Source.CONTEXT:
                return {_text(self.context.get(lookup.field))}


def _text(value: Scalar) -> str | None:
    return None if value is None else str(value)
