"""Pages of records, applied to the engine as its handlers apply them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from uuid import UUID

from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.cancel import CancelReason, InboundMessage, is_reply
from cadence_engine.domain.contact import Contact, ContactChange
from cadence_engine.domain.enroll import EnrollRequest, Outcome
from cadence_engine.domain.enrollment import Enrollment
from cadence_engine.domain.erase import is_forgotten
from cadence_engine.domain.events import Cause
from cadence_engine.domain.known import newest
from cadence_engine.domain.triggers import matches
from tests.domain.histories.drawn import CREATED, PURCHASED, Record
from tests.domain.histories.engine import Engine
from tests.domain.histories.passage import COMPANY


class Consumer(Engine):
    """The engine with its reader of records. A page is of one stream."""

    def apply_page(self, page: Sequence[Record], ids: Iterable[UUID]) -> list[Outcome]:
        """Apply what of the page is new; `ids` are for the enrollments that it asks for."""
        new = [record for record in page if record.id not in self.inbox]
        self.inbox.update(record.id for record in new)
        return self.apply_new(new, ids) if new else []

    def apply_new(self, page: Sequence[Record], ids: Iterable[UUID]) -> list[Outcome]:
        """Apply a page that the inbox lets pass."""
        for record in page:
            self.contacts.setdefault(record.contact, Contact(COMPANY, record.contact))
        match page[0].stream:
            case "contacts":
                return self._project(page, ids)
            case "purchases":
                self._note_mentions(page)
                return self._enroll_on(page, PURCHASED, ids)
            case "messages":
                self._note_messages(page)
            case "preferences":
                self._note_preferences(page)
            case "deletions":
                self._erase(page)
        return []

    def _project(self, page: Sequence[Record], ids: Iterable[UUID]) -> list[Outcome]:
        counted = [record for record in page if not self.contacts[record.contact].forgets(record.at)]
        for record in counted:
            self.put(self.contacts[record.contact].told(ContactChange(**dict(record.fields)), record.at))
        self.unpark({record.contact for record in counted})
        return self._enroll_on([record for record in counted if record.created], CREATED, ids)

    def _enroll_on(self, records: Iterable[Record], event: str, ids: Iterable[UUID]) -> list[Outcome]:
        asked = list(chain.from_iterable(self._waiting(record, event) for record in records))
        return self.enroll(
            EnrollRequest(
                company_id=COMPANY,
                cadence_id=version.cadence_id,
                contact_id=record.contact,
                trigger=event,
                triggered_at=record.at,
                cause=_cause(record),
                enrollment_id=enrollment_id,
                conversation_id=record.conversation if record.conversation in self.conversations else None,
                context=_context(record),
            )
            for (record, version), enrollment_id in zip(asked, ids, strict=False)
        )

    def _waiting(self, record: Record, event: str) -> Iterator[tuple[Record, CadenceVersion]]:
        for cadence_id, cadence in self.cadences.items():
            if self.active(cadence_id) and matches(cadence.current.definition.trigger, event, _context(record)):
                yield record, cadence.current

    def _note_mentions(self, page: Sequence[Record]) -> None:
        for record in page:
            contact = self.contacts[record.contact]
            mentioned_at = newest(contact.mentioned_at, record.at)
            self.contacts[record.contact] = contact._replace(mentioned_at=mentioned_at)

    def _note_messages(self, page: Sequence[Record]) -> None:
        before = dict(self.contacts)
        counted = [record for record in page if not self.contacts[record.contact].forgets(record.at)]
        for record in counted:
            contact = self.contacts[record.contact]
            self.put(contact.messaged(record.at, inbound=record.inbound, conversation_id=record.conversation))
        self.conversations.update(record.conversation for record in counted if record.conversation)
        inbound = [record for record in counted if record.inbound]
        for enrollment in self.live_of(record.contact for record in inbound):
            self._cancel_replied(enrollment, (r for r in inbound if r.contact == enrollment.contact_id))
        now = self.contacts
        self.unpark({c for c in now if now[c].last_conversation.value != before[c].last_conversation.value})

    def _cancel_replied(self, enrollment: Enrollment, inbound: Iterable[Record]) -> None:
        definition = self.version(enrollment).definition
        messages = (InboundMessage(record.at, record.id, _cause(record)) for record in inbound)
        reply = next((each for each in messages if is_reply(each, enrollment, definition.reply_grace)), None)
        if definition.cancel_on_reply and reply:
            causes = {enrollment.enrollment_id: reply.cause}
            self.cancel(causes, CancelReason.REPLIED, message_id=reply.message_id)

    def _note_preferences(self, page: Sequence[Record]) -> None:
        stopped: dict[str, Cause] = {}
        for record in page:
            told = self.contacts[record.contact].prefers(stop=record.stop, at=record.at)
            self.put(told)
            if record.stop and told.opted_out.value:
                stopped.setdefault(record.contact, _cause(record))
        causes = {e.enrollment_id: stopped[e.contact_id] for e in self.live_of(stopped)}
        self.cancel(causes, CancelReason.OPTED_OUT)

    def _erase(self, page: Sequence[Record]) -> None:
        deleted: dict[str, Cause] = {}
        for record in page:
            self.put(self.contacts[record.contact].erase(record.at))
            deleted[record.contact] = _cause(record)
        causes = {
            e.enrollment_id: deleted[e.contact_id]
            for e in self.live_of(deleted)
            if is_forgotten(self.contacts[e.contact_id], e)
        }
        self.cancel(causes, CancelReason.CONTACT_DELETED)


def _cause(record: Record) -> Cause:
    return Cause(source="/crm", id=record.id)


def _context(record: Record) -> dict[str, str | None]:
    return {"product": record.product} if record.stream == "purchases" else {}
