"""What the published records demand: which passages, how each must end, and which dead letters.

Rests on three things that the script keeps: for a contact and a cadence there is one trigger; records that decide about
one another are a second or more apart; what stops a passage is not near the end of it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cadence_contracts import inbound, read_record
from cadence_contracts.inbound import (
    AnyInbound,
    CompanyUpdated,
    ContactCreated,
    ContactDeleted,
    ContactPreferencesChanged,
    ContactUpdated,
    GenericTrigger,
    LeadCreated,
    MessageReceived,
)
from cadence_engine.definitions.load import CompanyDefinition
from cadence_engine.devstack.demo.facts import Facts, Told
from cadence_engine.devstack.demo.script import Act, Line
from cadence_engine.domain import triggers
from cadence_engine.domain.cadence import API, Definition, Scalar

ContactKey = tuple[str, str]
LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Published:
    """A record as the broker took it; `at` is the record's timestamp, the clock of the promises."""

    line: Line
    partition: int
    offset: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """A record that ends a passage."""

    reason: str
    at: datetime
    source: str
    id: str
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A contact's passage through a cadence that must be there."""

    company_id: str
    contact_id: str
    definition: Definition
    trigger: str
    cause: tuple[str, str] | None
    """(source, id) of the triggering event; None where an operator did it."""
    facts: Facts
    stop: Stop | None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.company_id, self.contact_id, self.definition.key

    @property
    def stays_parked(self) -> bool:
        """Whether what its steps lack never comes."""
        return any(self.facts.obstacle(step, LATEST) for step in self.definition.steps)

    def __str__(self) -> str:
        return f"{self.company_id}/{self.contact_id} in {self.definition.key}"


@dataclass(frozen=True, slots=True)
class Demands:
    """Everything that must come out, and nothing else may."""

    passages: Mapping[tuple[str, str, str], Passage]
    dead_letters: Sequence[Published]
    repetitions: int
    """Records that were published before: they must change nothing."""


@dataclass(slots=True)
class _Contact:
    told: Told = field(default_factory=Told)
    messages: list[Stop] = field(default_factory=list)
    preferences: list[tuple[bool, Stop]] = field(default_factory=list)
    deletions: list[Stop] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Trigger:
    event: str
    contact: ContactKey
    at: datetime
    cause: tuple[str, str] | None
    data: Mapping[str, Scalar]
    context: Mapping[str, Scalar]
    lead: Mapping[str, Scalar] = field(default_factory=dict)


def derive(published: Iterable[Published], acts: Iterable[Act], definitions: Sequence[CompanyDefinition]) -> Demands:
    """What must come of these records and of an operator's acts."""
    world = _World(definitions)
    for record in sorted(published, key=lambda record: record.line.at):
        world.take(record)
    for act in acts:
        world.take_act(act)
    return world.demands()


class _World:
    """Everything that the records say, gathered before anything is decided."""

    def __init__(self, definitions: Sequence[CompanyDefinition]) -> None:
        self._definitions = definitions
        self._seen: set[tuple[str, str]] = set()
        self._contacts: dict[ContactKey, _Contact] = defaultdict(_Contact)
        self._companies: dict[str, Told] = defaultdict(Told)
        self._triggers: list[_Trigger] = []
        self._dead: list[Published] = []
        self._repetitions = 0

    def take(self, record: Published) -> None:
        if record.line.broken:
            self._dead.append(record)
            return
        envelope = read_record(record.line.value, record.line.headers)
        identity = envelope.source, envelope.id
        if identity in self._seen:
            self._repetitions += 1
            return
        self._seen.add(identity)
        self._note(inbound.parse(envelope, topic=record.line.topic), record.at, identity)

    def take_act(self, act: Act) -> None:
        """Only `enroll KEY CONTACT --company COMPANY`; it is typed long after its contact is known."""
        _, key, contact_id, _, company_id, *_ = act.arguments
        self._triggers.append(_Trigger(API, (company_id, contact_id), LATEST, None, {"key": key}, {}))

    def demands(self) -> Demands:
        passages: dict[tuple[str, str, str], Passage] = {}
        for trigger in self._triggers:
            for passage in self._started_by(trigger):
                if passage.key in passages:
                    raise ValueError(f"{passage} is triggered twice: the script may do so only once")
                passages[passage.key] = passage
        return Demands(passages, self._dead, self._repetitions)

    def _note(self, event: AnyInbound, at: datetime, identity: tuple[str, str]) -> None:
        match event:
            case CompanyUpdated():
                self._tell(self._companies[event.company_id], event.changes(), at)
            case ContactCreated() | ContactUpdated():
                self._tell(self._contact(event).told, event.changes(), at)
                if isinstance(event, ContactCreated):
                    self._trigger(event, at, identity, {})
            case MessageReceived():
                if event.conversation_id is not None:
                    self._contact(event).told.tell("conversation", event.conversation_id, at)
                if event.is_inbound:
                    self._contact(event).messages.append(Stop("replied", at, *identity, event.message_id))
            case ContactPreferencesChanged():
                self._contact(event).preferences.append((event.marketing == "stop", Stop("opted_out", at, *identity)))
            case ContactDeleted():
                self._contact(event).deletions.append(Stop("contact_deleted", at, *identity))
            case LeadCreated():
                lead = {"leadId": event.lead_id, "boardId": event.board_id}
                if event.contact_id is not None:
                    key = event.company_id, event.contact_id
                    self._triggers.append(_Trigger(event.event_type, key, at, identity, lead, lead, lead))
            case GenericTrigger():
                self._trigger(event, at, identity, event.context)

    def _contact(
        self, event: ContactCreated | ContactUpdated | MessageReceived | ContactPreferencesChanged | ContactDeleted
    ) -> _Contact:
        return self._contacts[event.company_id, event.contact_id]

    def _trigger(
        self,
        event: ContactCreated | GenericTrigger,
        at: datetime,
        identity: tuple[str, str],
        context: Mapping[str, Scalar],
    ) -> None:
        key = event.company_id, event.contact_id
        self._triggers.append(_Trigger(event.event_type, key, at, identity, context, context))

    @staticmethod
    def _tell(told: Told, changes: Mapping[str, object], at: datetime) -> None:
        for name in ("name", "phone", "locale"):
            value = changes.get(name)
            if name in changes and (value is None or isinstance(value, str)):
                told.tell(name, value, at)

    def _started_by(self, trigger: _Trigger) -> Iterable[Passage]:
        company_id, contact_id = trigger.contact
        contact = self._contacts[trigger.contact]
        if self._opted_out(contact, trigger.at):
            return
        for each in self._definitions:
            definition = each.definition
            if each.company_id != company_id or not triggers.matches(definition.trigger, trigger.event, trigger.data):
                continue
            if trigger.event == API and definition.key != trigger.data["key"]:
                continue
            yield Passage(
                company_id=company_id,
                contact_id=contact_id,
                definition=definition,
                trigger=trigger.event,
                cause=trigger.cause,
                facts=Facts(contact.told, self._companies[company_id], trigger.lead, trigger.context),
                stop=self._stop_of(contact, trigger, definition),
            )

    @staticmethod
    def _opted_out(contact: _Contact, at: datetime) -> bool:
        before = [(stop.at, stopped) for stopped, stop in contact.preferences if stop.at <= at]
        return bool(before) and max(before)[1]

    @staticmethod
    def _stop_of(contact: _Contact, trigger: _Trigger, definition: Definition) -> Stop | None:
        if trigger.at == LATEST:
            return None
        lasts = sum((step.wait.exact for step in definition.steps), timedelta())
        stops = [
            *(
                m
                for m in contact.messages
                if definition.cancel_on_reply and m.at >= trigger.at + definition.reply_grace
            ),
            *(stop for stopped, stop in contact.preferences if stopped and stop.at > trigger.at),
            *(deletion for deletion in contact.deletions if deletion.at >= trigger.at),
        ]
        first = min(stops, key=lambda stop: stop.at, default=None)
        return first if first is not None and first.at < trigger.at + lasts else None
