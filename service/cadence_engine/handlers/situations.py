"""What enrolling is decided on, gathered for any number of requests with a statement for each kind of fact."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from cadence_engine.domain.cadence import CadenceVersion
from cadence_engine.domain.company import Company
from cadence_engine.domain.contact import Contact, ContactKey
from cadence_engine.domain.enroll import EnrollRequest, Situation
from cadence_engine.domain.pause import CadenceStatus
from cadence_engine.domain.policy import Policy
from cadence_engine.domain.reentry import LastPassage
from cadence_engine.domain.schedule import zone_of
from cadence_engine.storage import companies, conversations, leads
from cadence_engine.storage.connection import Connection
from cadence_engine.storage.enrollments import load
from cadence_engine.storage.enrollments.load import PassageKey

CadenceKey = tuple[str, UUID]
"""(company id, cadence id)"""

Cadences = Mapping[CadenceKey, tuple[CadenceVersion, CadenceStatus]]


@dataclass(slots=True)
class Found:
    """Everything that the requests of one transaction are decided on; whoever enrolls adds to `live`."""

    contacts: Mapping[ContactKey, Contact]
    companies: Mapping[str, Company]
    cadences: Cadences
    leads: Collection[tuple[str, str]]
    conversations: Collection[tuple[str, str]]
    live: dict[PassageKey, UUID]
    last: Mapping[PassageKey, LastPassage]

    def situation(self, request: EnrollRequest, policy: Policy) -> Situation:
        version, status = self.cadences.get((request.company_id, request.cadence_id), (None, None))
        contact = self.contacts.get(request.contact_key)
        company = self.companies.get(request.company_id)
        passage = passage_of(request)
        return Situation(
            version=version,
            active=status is CadenceStatus.ACTIVE,
            contact=contact,
            lead_known=(request.company_id, request.lead_id) in self.leads,
            conversation_known=(request.company_id, request.conversation_id) in self.conversations,
            live_id=self.live.get(passage),
            last=self.last.get(passage),
            zone=zone_of(
                contact.time_zone.value if contact else None,
                company.time_zone.value if company else None,
                policy.default_time_zone,
            ),
        )


async def gather(
    connection: Connection,
    requests: Sequence[EnrollRequest],
    contacts: Mapping[ContactKey, Contact],
    cadences: Cadences,
    *,
    newcomers: Collection[ContactKey] = (),
) -> Found:
    """What else there is to know; nothing is locked here, and before a decision is written both given must be.

    `newcomers`: contacts that this transaction has added, so that nothing of theirs can be there.
    """
    company_ids = {request.company_id for request in requests}
    passages = {passage_of(request) for request in requests if request.contact_key not in newcomers}
    return Found(
        contacts=contacts,
        companies=await companies.load(connection, company_ids),
        cadences=cadences,
        leads=await leads.known(connection, {(r.company_id, r.lead_id) for r in requests if r.lead_id is not None}),
        conversations=await conversations.known(
            connection, {(r.company_id, r.conversation_id) for r in requests if r.conversation_id is not None}
        ),
        live=await load.live_passages(connection, {passage[:2] for passage in passages}),
        last=await load.last_passages(connection, passages),
    )


def passage_of(request: EnrollRequest) -> PassageKey:
    """Whose passage through which cadence the request is about."""
    return request.company_id, request.contact_id, request.cadence_id
