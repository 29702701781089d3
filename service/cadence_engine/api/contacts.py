"""Contacts: forget one."""

from typing import assert_never

from pydantic import Field

from cadence_engine.api.call import Call
from cadence_engine.api.operation import Answer, Operations
from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked, ContactPath, Told, Words
from cadence_engine.domain.api_key import Scope
from cadence_engine.handlers.erase import Erased, NotFound, erase_contact

operations = Operations("Contacts", "The people whom cadences are for.")


class EraseContactAsked(Asked):
    reason: Words = Field(description="kept, so name no person")


class ErasedTold(Told):
    """Nothing of the person is kept; what other services hold is theirs to forget."""

    cancelled: int = Field(description="enrollments that this ended")
    letters: int = Field(description="dead letters that named the contact, and hold nothing any more")


@operations.add(
    "POST",
    "/v1/contacts/{contactId}/erase",
    scope=Scope.ADMIN,
    answers={200: ErasedTold},
    refusals=[Code.CONTACT_NOT_FOUND],
)
async def erase_contact_(call: Call, path: ContactPath, body: EraseContactAsked) -> Answer:
    """Forget a person: end their enrollments, blank what is known of them, their history and their dead letters.

    A tombstone stays, so that a record that is older and arrives later does not bring them back. Again is fine.
    """
    outcome = await call.run(
        lambda unit: erase_contact(unit, call.company_id, path.contact_id, actor=call.actor, reason=body.reason)
    )
    match outcome:
        case Erased(cancelled, letters):
            return Answer(ErasedTold(cancelled=cancelled, letters=letters))
        case NotFound():
            raise Problem(Code.CONTACT_NOT_FOUND)
    assert_never(outcome)
