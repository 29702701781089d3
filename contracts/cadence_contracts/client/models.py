"""The bodies of requests and answers.

Generated from openapi.yaml by python -m cadence_contracts.generate: do not edit.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from cadence_contracts.client.wire import Asked, Tagged, Told

Wait = str


class AfterShape(Asked):
    after: Wait
    """how long after the last passage ended, such as P90D"""


class TriggerShape(Asked):
    event: str
    """{event: contact.created}, {event: inactivity} or {event: api}"""
    where: dict[str, list[str | int | float | bool | None]] | None = None
    after: Wait | None = None


class LookupShape(Asked):
    from_: str
    """such as contact.name"""
    else_: str | None = None


class LiteralShape(Asked):
    value: str


class TemplateShape(Asked):
    id: str
    """the template's name at WhatsApp"""
    category: str = "marketing"
    variables: dict[str, LookupShape | LiteralShape | str] = Field(default_factory=dict)


class StepShape(Asked):
    key: str
    """the step's identity, such as day-1"""
    wait: Wait | None = None
    offset_days: int | None = None
    template: TemplateShape
    """such as {id: welcome_1}"""


class CompletionShape(Asked):
    add_tags: list[str] = Field(default_factory=list)


class CadenceDefinition(Asked):
    """A definition as it is written, in JSON or YAML. Durations are ISO 8601 (`P3D`, `PT90M`)."""

    company: str | None = None
    key: str
    """the cadence's identity within the company, such as reactivation"""
    name: str
    """what people call it"""
    trigger: TriggerShape
    """what enrolls, such as {event: contact.created}"""
    reentry: AfterShape | str | None = None
    cancel_on: list[str] = Field(default_factory=lambda: ["reply"])
    reply_grace: str = "PT0S"
    send_within: str = "PT1H"
    language: str | None = None
    steps: list[StepShape]
    """at least one step"""
    on_completion: CompletionShape = Field(default_factory=lambda: CompletionShape.model_validate({"addTags": []}))


CadenceStatus = Literal["active", "paused", "archived"]


class CadenceTold(Told):
    """`counts`: live enrollments by status."""

    cadence_id: UUID
    key: str
    name: str
    trigger: str
    status: CadenceStatus | str
    settled: bool
    """false: enrollments are still being moved to fit the status"""
    actor: str | None
    """who set the status"""
    reason: str | None
    version: int
    """the current one: who enters takes it"""
    counts: dict[str, int]


class CadenceList(Told):
    cadences: list[CadenceTold]


class CadenceShown(Tagged):
    """`counts`: all that ever entered by status, the cancelled ones by reason too (`cancelled:replied`)."""

    cadence_id: UUID
    key: str
    name: str
    trigger: str
    status: CadenceStatus | str
    settled: bool
    """false: enrollments are still being moved to fit the status"""
    actor: str | None
    """who set the status"""
    reason: str | None
    version: int
    """the current one: who enters takes it"""
    counts: dict[str, int]
    definition: dict[str, Any]
    """a CadenceDefinition, which can be sent back as it is"""


class CadenceStatusTold(Told):
    key: str
    status: CadenceStatus | str
    settled: bool
    """false: it holds already, and enrollments are being moved to fit it"""
    actor: str | None
    reason: str | None


Status = Literal["active", "paused", "parked", "completed", "cancelled"]


class Choice(Asked):
    """All that is given must be true of an enrollment; what is due is active."""

    cadence_key: str | None = None
    contact_id: str | None = None
    status: list[Status] | None = None
    """any of these"""
    step_key: str | None = None
    """the next step"""
    due_after: AwareDatetime | None = None
    """then or later; RFC 3339 with its offset, such as 2026-03-01T12:00:00Z"""
    due_before: AwareDatetime | None = None
    """earlier; RFC 3339 with its offset, such as 2026-03-01T12:00:00Z"""
    started_after: AwareDatetime | None = None
    """then or later; RFC 3339 with its offset, such as 2026-03-01T12:00:00Z"""
    started_before: AwareDatetime | None = None
    """earlier; RFC 3339 with its offset, such as 2026-03-01T12:00:00Z"""


Code = Literal[
    "unauthenticated",
    "credential_ended",
    "issuer_unreachable",
    "missing_scope",
    "too_many_requests",
    "no_such_route",
    "method_not_allowed",
    "bad_http",
    "too_large",
    "unsupported_media_type",
    "not_json",
    "invalid_request",
    "invalid_definition",
    "precondition_failed",
    "cadence_not_found",
    "contact_not_found",
    "lead_not_found",
    "conversation_not_found",
    "enrollment_not_found",
    "company_not_found",
    "cadence_not_active",
    "cadence_archived",
    "not_archived",
    "no_first_step",
    "contact_erased",
    "opted_out",
    "replied",
    "reentry",
    "where",
    "still_moving",
    "draft_not_found",
    "overtaken",
    "letter_not_found",
    "version_not_found",
    "same_version",
    "another_company",
    "bad_cursor",
    "idempotency_key_used",
    "invalid_csv",
    "enrollment_ended",
    "enrollment_paused",
    "enrollment_parked",
    "held_by_cadence",
    "another_step",
    "not_halted",
    "unavailable",
    "internal_error",
]


class CompanySettings(Asked):
    """What is left out stays as it is; null clears it."""

    name: str | None = None
    time_zone: str | None = None
    locale: str | None = None
    inactive_days: int = 21
    inactivity_limit: int | None = None
    detector_hour: int = 9


class CompanyTold(Told):
    company_id: str
    name: str | None
    time_zone: str | None
    """IANA; null: the deployment's default"""
    locale: str | None
    """BCP 47"""
    inactive_days: int
    """silence that counts as inactive, where a cadence has none of its own"""
    inactivity_limit: int | None
    """enrollments a day by inactivity; null: no limit"""
    detector_hour: int
    """the local hour at which silence is looked for"""


class ContactTold(Told):
    """As other services have described it so far; the phone is masked."""

    contact_id: str
    name: str | None
    phone: str | None
    """masked: enough to tell two apart"""
    locale: str | None
    time_zone: str | None
    tags: list[str]
    opted_out: bool
    last_message_at: datetime | None
    last_inbound_at: datetime | None
    erased: bool
    """deleted, and nothing newer is known"""


class Count(Told):
    count: int


class DraftLine(Told):
    key: str
    name: str
    revision: int
    """moves with every edit; its ETag"""
    based_on: int | None
    """the version that was current when it was begun, if any"""
    actor: str
    edited_at: datetime


class DraftList(Told):
    drafts: list[DraftLine]


class DraftShown(Tagged):
    key: str
    name: str
    revision: int
    """moves with every edit; its ETag"""
    based_on: int | None
    """the version that was current when it was begun, if any"""
    actor: str
    edited_at: datetime
    definition: dict[str, Any]
    """a CadenceDefinition, which can be edited and sent back"""


Reason = Literal["not_json", "not_cloudevent", "unknown_type", "invalid_data", "no_value", "stale", "too_large"]


class LetterPath(Asked):
    topic: str
    """as the deployment names it, with its prefix (`CADENCE_TOPIC_PREFIX`): take it from a letter's `topic`; without
    a prefix it is an event's type, such as contact.created
    """
    partition: int
    offset: int


class DropAsked(Asked):
    cursor: str | None = None
    """`next` of the batch before; everything else as it was"""
    topic: str | None = None
    code: Reason | None = None
    """why it is dead: its `reason`"""
    contact_id: str | None = None
    """whom the record names, where that could be read"""
    since: AwareDatetime | None = None
    """found dead then or later; RFC 3339 with its offset, such as 2026-03-01T12:00:00Z"""
    until: AwareDatetime | None = None
    """found dead then or earlier; RFC 3339 with its offset, such as 2026-03-01T12:00:00Z"""
    letter: LetterPath | None = None
    dry_run: bool = False
    """only count them"""
    reason: str
    """why nobody needs it; kept, so name no person"""


class EnrollAsked(Asked):
    """Who is to enter which cadence; lead and conversation go along with every send."""

    cadence_key: str
    """A cadence's key, unique within the company."""
    contact_id: str
    """Opaque id of another service: 1 to 200 characters, no control characters."""
    lead_id: str | None = None
    conversation_id: str | None = None
    context: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """values for template variables (`from: context.NAME`)"""


class EnrollTold(Told):
    """`created` false: the contact was in that cadence already, and nothing changed."""

    enrollment_id: UUID
    created: bool


PausedBy = Literal["cadence", "operator"]


ParkReason = Literal["missing_variable", "unreachable", "internal_error"]


class PlacedTold(Told):
    """An enrollment and its next step."""

    enrollment_id: UUID
    cadence_key: str
    cadence_id: UUID
    version: int
    contact_id: str
    lead_id: str | None
    conversation_id: str | None
    status: Status | str
    step_index: int
    """of the next step, from 0"""
    next_run_at: datetime | None
    """active: when it runs; parked: when it was due"""
    revision: int
    """moves with every change, from 1"""
    trigger: str
    """what enrolled: `api`, `inactivity`, or a record's type"""
    triggered_at: datetime
    started_at: datetime
    ended_at: datetime | None
    cancel_reason: str | None
    wait_left: str | None
    """paused: what is left of the wait, as ISO 8601"""
    paused_by: PausedBy | str | None
    resume_at: datetime | None
    """paused: when it goes on by itself"""
    park_reason: ParkReason | str | None
    park_detail: str | None
    """parked: what to mend"""
    context: dict[str, bool | int | float | str | None]
    step_key: str | None
    """the next step's; null behind the last"""
    steps: int
    """how many there are"""


class EnrollmentList(Told):
    """A page may be short, or empty, though there is a next one."""

    enrollments: list[PlacedTold]
    next: str | None
    """`cursor` of the page behind it; null: there is none"""


class EnrollmentTold(Told):
    """As it is now. Which fields are set follows from `status`."""

    enrollment_id: UUID
    cadence_key: str
    cadence_id: UUID
    version: int
    contact_id: str
    lead_id: str | None
    conversation_id: str | None
    status: Status | str
    step_index: int
    """of the next step, from 0"""
    next_run_at: datetime | None
    """active: when it runs; parked: when it was due"""
    revision: int
    """moves with every change, from 1"""
    trigger: str
    """what enrolled: `api`, `inactivity`, or a record's type"""
    triggered_at: datetime
    started_at: datetime
    ended_at: datetime | None
    cancel_reason: str | None
    wait_left: str | None
    """paused: what is left of the wait, as ISO 8601"""
    paused_by: PausedBy | str | None
    resume_at: datetime | None
    """paused: when it goes on by itself"""
    park_reason: ParkReason | str | None
    park_detail: str | None
    """parked: what to mend"""
    context: dict[str, bool | int | float | str | None]


class EraseCompanyAsked(Asked):
    company_id: str
    """your company's id, so that nothing is erased by mistake"""
    reason: str
    """An operator's own words: 1 to 500 characters, no control characters."""


class EraseContactAsked(Asked):
    reason: str
    """kept, so name no person"""


class ErasedTold(Told):
    """Nothing of the person is kept; what other services hold is theirs to forget."""

    cancelled: int
    """enrollments that this ended"""
    letters: int
    """dead letters that named the contact, and hold nothing any more"""


class ErasureTold(Told):
    """Workers erase the contacts from a minute later on, batch by batch."""

    asked_at: datetime
    finished_at: datetime | None


Fate = Literal["kept", "next", "ends", "left"]


class FateTold(Told):
    """What becomes of those who wait at one step of the old version."""

    step_key: str
    waiting: int
    fate: Fate | str
    next_step_key: str | None
    """in the new version; null: none is left"""
    never: list[str]
    """steps that were added behind them, and never run"""
    added: list[str]
    """steps that were added ahead of them, and run"""


class StepTold(Told):
    key: str
    reached: int
    """how many had it as their next step"""
    sent: int
    skipped: int
    parked: int
    """how often it parked"""
    replied: int
    """passages that a reply ended behind it"""
    reply_rate: float | None
    """replies to sends; null before the first send"""


class FunnelTold(Told):
    version: int
    started: int
    live: int
    completed: int
    cancelled: dict[str, int]
    """by reason"""
    replied_before: int
    """passages that a reply ended before the first step"""
    replied: int
    reply_rate: float | None
    completion_rate: float | None
    steps: list[StepTold]


class Funnels(Told):
    """The newest version first."""

    versions: list[FunnelTold]


Held = Literal["halted", "replies_behind", "watermark_ahead_of_the_clock", "relay_stuck"]


class GateTold(Told):
    """`held`: why no step of anybody runs now; null: steps run."""

    held: Held | str | None
    watermark: datetime
    """every reply acknowledged by Kafka up to here is applied"""


class HaltAsked(Asked):
    reason: str
    """An operator's own words: 1 to 500 characters, no control characters."""


class HaltTold(Told):
    """`endedAt` null: in force."""

    of_everybody: bool
    """of all companies: only whoever runs the deployment begins and ends it"""
    started_at: datetime
    started_by: str
    reason: str
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None


class HaltList(Told):
    """`inForce`: what holds your steps now; `history`: the newest 50, the newest first."""

    in_force: list[HaltTold]
    history: list[HaltTold]


class HappenedTold(Told):
    """An event of the log. `enrollmentId` null: an enrollment that was refused; `data.reason` says by which rule."""

    at: datetime
    type: str
    enrollment_id: UUID | None
    data: dict[str, Any]


LetterState = Literal["kept", "replayed", "dropped"]


class LetterTold(Told):
    """A dead letter without its record; a tombstone has none any more."""

    topic: str
    partition: int
    offset: int
    created_at: datetime
    """when it was found dead"""
    contact_id: str | None
    reason: str
    """why it is dead; `code` chooses by it"""
    detail: str
    """what is wrong with the record, and what is allowed"""
    bytes: int
    state: LetterState | str
    settled_at: datetime | None
    settled_by: str | None
    settled_reason: str | None


class LetterList(Told):
    """The newest first."""

    letters: list[LetterTold]
    next: str | None
    """`cursor` of the page behind it; null: there is none"""


class LetterShown(Told):
    """With its record, decoded as far as possible; personal data masked, unless asked for in full."""

    topic: str
    partition: int
    offset: int
    created_at: datetime
    """when it was found dead"""
    contact_id: str | None
    reason: str
    """why it is dead; `code` chooses by it"""
    detail: str
    """what is wrong with the record, and what is allowed"""
    bytes: int
    state: LetterState | str
    settled_at: datetime | None
    settled_by: str | None
    settled_reason: str | None
    key: Any
    headers: list[tuple[str, Any]]
    value: Any


class Live(Told):
    live: bool


class MoveAsked(Asked):
    cursor: str | None = None
    """`next` of the batch before; everything else as it was"""
    from_: int
    """the version that they are in"""
    to: int | None = None
    """the current one, if not said"""
    reason: str | None = None
    dry_run: bool = False
    """only tell what would become of each"""


class MoveTold(Told):
    """Of this batch."""

    fates: list[FateTold]
    waits_anew: int
    """due at another time than before"""
    due_at_once: int
    next: str | None
    """`cursor` of the next batch; null: that was the last one"""


ResumeMode = Literal["shift", "catch_up", "skip_missed"]


class OrderAsked(Asked):
    """What is to be done with which enrollments."""

    cursor: str | None = None
    """`next` of the batch before; everything else as it was"""
    operation: Literal["pause", "resume", "skip", "run_now", "cancel"]
    choice: Choice
    """which; at least one thing must be given"""
    reason: str | None = None
    until: AwareDatetime | None = None
    """of pause: then they go on by themselves"""
    mode: ResumeMode = "shift"
    """of resume"""
    per_minute: int = 600
    """of resume: how many overdue ones go a minute"""
    step_key: str | None = None
    """of skip, which needs it: the step"""
    dry_run: bool = False
    """only count how many it would be about"""


class OrderTold(Told):
    """Of this batch."""

    counted: int | None
    """of a dry run: how many it would be about"""
    done: int
    left: dict[str, int]
    """how many were left as they are, by why"""
    next: str | None
    """`cursor` of the next batch; null: that was the last one"""


SoFar = Literal["in_it", "was_in_it", "refused", "never_triggered"]


class PastRefusalTold(Told):
    """The newest refusal of the contact by a cadence."""

    at: datetime
    trigger: str
    reason: str
    """the rule, of the problem codes"""
    fields: list[str]
    """where the trigger's data differed from the definition's `where`"""


class OutlookTold(Told):
    """Why the contact is not in a cadence."""

    cadence_key: str
    version: int
    trigger: str
    active: bool
    made_at: datetime
    """nothing of a trigger before is known, nor before `historySince`"""
    so_far: SoFar | str
    """`never_triggered`: no record came that is its trigger, or it is a dead letter: see `GET
    /v1/dead-letters?contactId=..`
    """
    refused: PastRefusalTold | None
    now: str | None
    """the rule that stands against it if the trigger came now, of the problem codes or `no_message` or
    `silence_too_short`; null: nothing does
    """
    inactive_from: datetime | None
    """when the present silence is long enough, if that is asked for"""


WaitsFor = Literal["time", "worker", "halt", "gate", "cadence", "operator", "mending"]


class PassageTold(Told):
    """An enrollment and what it waits for."""

    enrollment: EnrollmentTold
    step_key: str | None
    """the step that it waits at; null behind the last"""
    steps: int
    waits_for: WaitsFor | str | None
    """null: it has ended; `time`: waits for its time; `worker`: is due: the next free worker runs it; `halt`: is
    due, and its company is halted; `gate`: is due, and no step runs now; `cadence`: held with its cadence;
    `operator`: held by an operator; `mending`: parked until what it lacks is there
    """
    cadence_status: CadenceStatus | str


class PauseAsked(Asked):
    reason: str | None = None
    until: AwareDatetime | None = None
    """then it goes on by itself, within a minute; RFC 3339 with its offset, such as 2026-03-01T12:00:00Z"""


class Wrong(Told):
    """One thing that is wrong with a request."""

    in_: str
    """body, path, query or header"""
    pointer: str
    """JSON Pointer to it within that place"""
    detail: str
    """what is wrong, and what is allowed"""
    line: int | None = None
    """where in the text, if the body was one"""
    column: int | None = None


class ProblemDetails(Told):
    """What went wrong and what to do (RFC 9457). Programs go by `code`."""

    type: str
    """where the code is explained"""
    title: str
    """what the code means; the same for every such problem"""
    status: int
    code: Code | str
    detail: str
    """what is wrong this time"""
    remedy: str
    """what to do"""
    request_id: str
    """of the header X-Request-ID: finds the request in our log"""
    errors: list[Wrong] | None = None
    """each thing that is wrong with the request"""


class Published(Tagged):
    key: str
    version: int
    outcome: Literal["created", "newVersion", "unchanged"] | str
    status: CadenceStatus | str


class Publishing(Asked):
    status: Literal["active", "paused"] = "active"
    """of the cadence, where this makes a new one"""


class Ready(Told):
    """`blocking`, `degraded`: the reason by part."""

    ready: bool
    blocking: dict[str, str]
    degraded: dict[str, str]


Refusal = Literal[
    "cadence_not_found",
    "cadence_not_active",
    "contact_not_found",
    "lead_not_found",
    "conversation_not_found",
    "no_first_step",
    "contact_erased",
    "opted_out",
    "replied",
    "reentry",
    "where",
]


class ReplayAsked(Asked):
    cursor: str | None = None
    """`next` of the batch before; everything else as it was"""
    topic: str | None = None
    code: Reason | None = None
    """why it is dead: its `reason`"""
    contact_id: str | None = None
    """whom the record names, where that could be read"""
    since: AwareDatetime | None = None
    """found dead then or later; RFC 3339 with its offset, such as 2026-03-01T12:00:00Z"""
    until: AwareDatetime | None = None
    """found dead then or earlier; RFC 3339 with its offset, such as 2026-03-01T12:00:00Z"""
    letter: LetterPath | None = None
    dry_run: bool = False
    """only count them"""
    reason: str | None = None
    """why, for the record"""


class ResumeAsked(Asked):
    reason: str | None = None
    mode: ResumeMode = "shift"
    """shift: the rest of the wait begins now. catch_up: the next step keeps its time. skip_missed: steps whose time
    has passed are skipped.
    """


RowOutcome = Literal["created", "already_active", "refused", "invalid"]


class RowTold(Told):
    """A line of the answer. `reason` is a code, `detail` a sentence: of what was refused or invalid."""

    row: int
    """the number of its line, from 1"""
    contact_id: str | None = None
    outcome: RowOutcome | str
    enrollment_id: UUID | None = None
    reason: str | None = None
    detail: str | None = None


class StillDeadTold(Told):
    """A letter that was not understood this time either: it stays, with this reason."""

    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    """what is wrong with the record, and what is allowed"""


class SettledTold(Told):
    """Of this batch."""

    counted: int | None
    """of a dry run: how many there are"""
    applied: int
    seen: int
    """without effect: an event with their id was applied before"""
    dropped: int
    still_dead: list[StillDeadTold]
    """those of this batch, which has 500 letters at most"""
    unpublished: int
    """not on the dead-letter topic yet: they stay; ask again later"""
    next: str | None
    """`cursor` of the next batch; null: that was the last one"""


class SimulatedStepTold(Told):
    key: str
    at: datetime
    local: datetime
    """the same instant on the contact's clock"""
    template: str
    category: str
    language: str | None
    variables: dict[str, str]
    parks: ParkReason | str | None
    """it could not be sent as things are"""
    detail: str | None
    """what to mend"""


class SimulatedTold(Told):
    """`refused`: nothing starts, by that rule. `enrolled`: the contact is in the cadence already."""

    contact_id: str
    zone: str
    start: datetime
    refused: Refusal | str | None
    enrolled: UUID | None
    steps: list[SimulatedStepTold]
    completes_at: datetime | None
    """null: it does not, as a step parks"""
    tags: list[str]


class Simulation(Told):
    """`paused`: the cadence is, and was simulated as if it went on."""

    version: int
    """the current one; of a draft or a definition the one that it would become"""
    paused: bool
    contacts: list[SimulatedTold]


class SimulationAsked(Asked):
    contact_ids: list[str]
    start: AwareDatetime | None = None
    """when the trigger comes; now, if not said; RFC 3339 with its offset, such as 2026-03-01T12:00:00Z"""
    context: dict[str, bool | int | float | str | None] = Field(default_factory=dict)
    """what the trigger brings"""
    draft: bool = False
    """the draft with that key, in place of the current version"""
    definition: dict[str, Any] | None = None
    """this one, a CadenceDefinition with that key, in place of the current version; it is not kept"""


class SkipAsked(Asked):
    reason: str | None = None
    step_key: str
    """the step that it waits at: asked again, no other one is skipped"""


class UnparkAsked(Asked):
    """Nothing is to be said but where to go on."""

    cursor: str | None = None
    """`next` of the batch before; everything else as it was"""


class UnparkTold(Told):
    """Of this batch."""

    looked_at: int
    going_on: int
    """the others still lack something: their `parkDetail` says what"""
    next: str | None
    """`cursor` of the next batch; null: that was the last one"""


class UnreadTold(Told):
    """Dead letters of one topic and reason."""

    topic: str
    reason: str
    letters: int
    """how many"""


class VersionTold(Told):
    version: int
    created_at: datetime
    """when it was published"""
    actor: str
    """by whom"""
    live: int
    """how many contacts are on their way in it"""


class Versions(Told):
    """The newest first."""

    versions: list[VersionTold]


class Why(Asked):
    """Why an operator does it; kept in the log beside who did."""

    reason: str | None = None


class WhyTold(Told):
    """The newest 50 passages and a page of history, each oldest first."""

    contact: ContactTold
    passages: list[PassageTold]
    timeline: list[HappenedTold]
    next: str | None
    """`cursor` of the page of older history; null: there is none"""
    history_since: datetime | None
    """what happened before is not kept any more, refusals included; null: everything is kept"""
    outlooks: list[OutlookTold]
    """of each cadence that the contact is not in"""
    gate: GateTold
    halts: list[HaltTold]
    """what holds every step of yours now"""
    unread: list[UnreadTold]
    """records that name the contact and could not be read, so that nothing of them is above: `GET
    /v1/dead-letters?contactId=..` lists them
    """
