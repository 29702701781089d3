"""All promises, one rule each."""

from tests.faults.oracle import causes, content, publication, times
from tests.faults.oracle.history import History
from tests.faults.oracle.missing import missing
from tests.faults.oracle.view import View
from tests.faults.oracle.violations import Violation

RULES = (
    publication.published_once,
    publication.revisions,
    publication.consistent,
    publication.steps_in_order,
    content.told_as_agreed,
    content.sent_as_agreed,
    times.none_early,
    times.due_times,
    times.none_after_a_stop,
    times.none_after_a_cancel,
    causes.own_company,
    causes.asked_for,
    missing,
)


def judge(history: History) -> list[Violation]:
    """Every violation of a run that is over; none when all promises were kept."""
    view = View(history)
    return [violation for rule in RULES for violation in rule(view)]


def unfinished(history: History) -> list[Violation]:
    """What is still missing while a run goes on."""
    return list(missing(View(history)))
