"""Every way in which the API says no: one table of stable codes, told as problem details (RFC 9457)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import ErrorDetails

CONTENT_TYPE = "application/problem+json"


class Code(StrEnum):
    """Stable: programs may rely on a code, never on a text."""

    UNAUTHENTICATED = "unauthenticated"
    CREDENTIAL_ENDED = "credential_ended"
    ISSUER_UNREACHABLE = "issuer_unreachable"
    MISSING_SCOPE = "missing_scope"
    TOO_MANY_REQUESTS = "too_many_requests"
    NO_SUCH_ROUTE = "no_such_route"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BAD_HTTP = "bad_http"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    NOT_JSON = "not_json"
    INVALID_REQUEST = "invalid_request"
    INVALID_DEFINITION = "invalid_definition"
    PRECONDITION_FAILED = "precondition_failed"
    CADENCE_NOT_FOUND = "cadence_not_found"
    CONTACT_NOT_FOUND = "contact_not_found"
    LEAD_NOT_FOUND = "lead_not_found"
    CONVERSATION_NOT_FOUND = "conversation_not_found"
    ENROLLMENT_NOT_FOUND = "enrollment_not_found"
    COMPANY_NOT_FOUND = "company_not_found"
    CADENCE_NOT_ACTIVE = "cadence_not_active"
    CADENCE_ARCHIVED = "cadence_archived"
    NOT_ARCHIVED = "not_archived"
    NO_FIRST_STEP = "no_first_step"
    CONTACT_ERASED = "contact_erased"
    OPTED_OUT = "opted_out"
    REPLIED = "replied"
    REENTRY = "reentry"
    WHERE = "where"
    STILL_MOVING = "still_moving"
    DRAFT_NOT_FOUND = "draft_not_found"
    OVERTAKEN = "overtaken"
    LETTER_NOT_FOUND = "letter_not_found"
    VERSION_NOT_FOUND = "version_not_found"
    SAME_VERSION = "same_version"
    ANOTHER_COMPANY = "another_company"
    BAD_CURSOR = "bad_cursor"
    IDEMPOTENCY_KEY_USED = "idempotency_key_used"
    INVALID_CSV = "invalid_csv"
    ENROLLMENT_ENDED = "enrollment_ended"
    ENROLLMENT_PAUSED = "enrollment_paused"
    ENROLLMENT_PARKED = "enrollment_parked"
    HELD_BY_CADENCE = "held_by_cadence"
    ANOTHER_STEP = "another_step"
    NOT_HALTED = "not_halted"
    UNAVAILABLE = "unavailable"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a code always means: its status, what is wrong, and what to do."""

    status: int
    title: str
    remedy: str


_FOREIGN = "check the id; what belongs to another company is not found either"

KINDS: Mapping[Code, Kind] = {
    Code.UNAUTHENTICATED: Kind(
        401, "No credential that counts", "send `Authorization: Bearer` with an API key or a token of your issuer"
    ),
    Code.CREDENTIAL_ENDED: Kind(401, "The credential counts no more", "get a new key or token"),
    Code.ISSUER_UNREACHABLE: Kind(
        503, "The token cannot be checked: its issuer's keys are out of reach", "try again; an API key works meanwhile"
    ),
    Code.MISSING_SCOPE: Kind(403, "The credential may not do this", "use one that has the scope"),
    Code.TOO_MANY_REQUESTS: Kind(429, "Too many requests", "wait as long as Retry-After says"),
    Code.NO_SUCH_ROUTE: Kind(404, "No such path", "see /docs for those there are"),
    Code.METHOD_NOT_ALLOWED: Kind(405, "This path has no such method", "see the header Allow"),
    Code.BAD_HTTP: Kind(400, "The request cannot be read", "mend its headers or its encoding"),
    Code.TOO_LARGE: Kind(413, "The body is too large", "send less at once"),
    Code.UNSUPPORTED_MEDIA_TYPE: Kind(
        415, "The body is not of a type that is read here", "send it with the right Content-Type"
    ),
    Code.NOT_JSON: Kind(400, "The body is not JSON", "send one JSON document in UTF-8"),
    Code.INVALID_REQUEST: Kind(422, "Something in the request is not allowed", "mend what `errors` names"),
    Code.INVALID_DEFINITION: Kind(422, "The definition is wrong", "mend what `errors` names"),
    Code.PRECONDITION_FAILED: Kind(
        412, "It is not as you last saw it", "read it again, and send your change with the new ETag"
    ),
    Code.CADENCE_NOT_FOUND: Kind(404, "No such cadence", _FOREIGN),
    Code.CONTACT_NOT_FOUND: Kind(
        404,
        "No such contact",
        "a contact becomes known with its first contact.created, message.received or trigger; if that was sent, see "
        "/v1/dead-letters?contactId=..; " + _FOREIGN,
    ),
    Code.LEAD_NOT_FOUND: Kind(404, "No such lead", "a lead becomes known with lead.created; " + _FOREIGN),
    Code.CONVERSATION_NOT_FOUND: Kind(
        404, "No such conversation", "a conversation becomes known with its first message.received; " + _FOREIGN
    ),
    Code.ENROLLMENT_NOT_FOUND: Kind(404, "No such enrollment", _FOREIGN),
    Code.COMPANY_NOT_FOUND: Kind(
        404, "Nothing is known of your company yet", "it is made by its first record, definition or setting"
    ),
    Code.CADENCE_NOT_ACTIVE: Kind(409, "The cadence is paused or archived", "resume or unarchive it first"),
    Code.CADENCE_ARCHIVED: Kind(409, "The cadence is archived", "unarchive it first"),
    Code.NOT_ARCHIVED: Kind(409, "The cadence is not archived", "nothing: it is in use"),
    Code.NO_FIRST_STEP: Kind(409, "The cadence has no step", "publish a version that has one"),
    Code.CONTACT_ERASED: Kind(409, "The contact was deleted", "nothing: it is known again when a record tells of it"),
    Code.OPTED_OUT: Kind(
        409, "The contact does not want marketing", "only contact.preferences.changed with `resume` changes that"
    ),
    Code.REPLIED: Kind(409, "The contact wrote since the trigger", "nothing: the conversation has begun"),
    Code.REENTRY: Kind(
        409, "The contact passed through this cadence before", "see `reentry` in the cadence's definition"
    ),
    Code.WHERE: Kind(
        409, "The trigger came with other data than the cadence asks for", "see `where` in the cadence's definition"
    ),
    Code.DRAFT_NOT_FOUND: Kind(404, "Nothing is being edited under that key", _FOREIGN),
    Code.OVERTAKEN: Kind(
        409,
        "Another version was published since the draft was begun",
        "look at what was published; to go on from it, discard the draft and save it anew",
    ),
    Code.LETTER_NOT_FOUND: Kind(404, "No such dead letter, or it is settled", _FOREIGN),
    Code.VERSION_NOT_FOUND: Kind(404, "The cadence has no such version", "see GET /v1/cadences/{key}/versions"),
    Code.SAME_VERSION: Kind(409, "From and to are the same version", "nothing: there is nothing to move"),
    Code.ANOTHER_COMPANY: Kind(409, "The company that is named is not the credential's", "see /v1/company for yours"),
    Code.BAD_CURSOR: Kind(
        400,
        "The cursor was not given for what is asked for",
        "send it with all else as it was when it was given (but for `limit`), or begin without one",
    ),
    Code.IDEMPOTENCY_KEY_USED: Kind(
        409, "The idempotency key was used for something else", "give what is new a new key"
    ),
    Code.INVALID_CSV: Kind(422, "The first line of the CSV does not name its columns", "mend that line"),
    Code.ENROLLMENT_ENDED: Kind(409, "The enrollment has ended", "nothing is left to be done about it"),
    Code.ENROLLMENT_PAUSED: Kind(409, "The enrollment is paused", "resume it first"),
    Code.ENROLLMENT_PARKED: Kind(
        409,
        "The enrollment is parked",
        "what it lacks must arrive, or be skipped; after a fault: POST /v1/cadences/{key}/unpark",
    ),
    Code.HELD_BY_CADENCE: Kind(409, "The enrollment is paused with its cadence", "resume the cadence"),
    Code.ANOTHER_STEP: Kind(409, "The enrollment does not wait at that step", "look at it again"),
    Code.STILL_MOVING: Kind(
        409,
        "The status before has not reached every enrollment yet",
        "try again when `settled` of GET /v1/cadences/{key} is true, in some seconds",
    ),
    Code.NOT_HALTED: Kind(
        409, "No halt of your company is in force", "see /v1/halts; a halt of all companies is not yours to end"
    ),
    Code.UNAVAILABLE: Kind(503, "The database does not answer", "try again; nothing was done"),
    Code.INTERNAL_ERROR: Kind(
        500, "A fault of ours", "report it with its requestId; whether anything was done can be seen by reading again"
    ),
}


class Wrong(BaseModel):
    """One thing that is wrong with a request."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    place: str = Field(alias="in", description="body, path, query or header")
    pointer: str = Field(description="JSON Pointer to it within that place")
    detail: str = Field(description="what is wrong, and what is allowed")
    line: int | None = Field(None, description="where in the text, if the body was one")
    column: int | None = None


class ProblemDetails(BaseModel):
    """What went wrong and what to do (RFC 9457). Programs go by `code`."""

    type: str = Field(description="where the code is explained")
    title: str = Field(description="what the code means; the same for every such problem")
    status: int
    code: Code
    detail: str = Field(description="what is wrong this time")
    remedy: str = Field(description="what to do")
    request_id: str = Field(alias="requestId", description="of the header X-Request-ID: finds the request in our log")
    errors: list[Wrong] | None = Field(None, description="each thing that is wrong with the request")


class Problem(Exception):  # noqa: N818  # it is an answer, not a fault
    """Raised anywhere below a route; answered as problem details. `detail` holds no personal data and no secret."""

    def __init__(
        self,
        code: Code,
        detail: str | None = None,
        *,
        errors: Sequence[Wrong] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.kind = KINDS[code]
        self.detail = detail or self.kind.title
        self.errors = errors
        self.headers = headers or {}

    def told(self, request_id: str) -> bytes:
        """The body of the answer."""
        details: dict[str, Any] = {
            "type": f"/docs#problem-{self.code}",
            "title": self.kind.title,
            "status": self.kind.status,
            "code": self.code,
            "detail": self.detail,
            "remedy": self.kind.remedy,
            "requestId": request_id,
            "errors": list(self.errors) or None,
        }
        return ProblemDetails(**details).model_dump_json(by_alias=True, exclude_none=True).encode()


def pointer(path: Iterable[str | int]) -> str:
    """JSON Pointer (RFC 6901)."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def wrong(place: str, errors: Iterable[ErrorDetails]) -> list[Wrong]:
    """What pydantic found, without the values that it was given."""
    return [Wrong(place=place, pointer=pointer(error["loc"]), detail=_detail(error)) for error in errors]


def _detail(error: ErrorDetails) -> str:
    match error["type"]:
        case "missing":
            return "is missing, and required"
        case "extra_forbidden":
            return "is not known here: see /docs for what is"
        case "value_error":
            return str(error["ctx"]["error"])
    return error["msg"]
