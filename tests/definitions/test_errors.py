"""Every error of a file, each with its line and its path, and what is allowed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from cadence_engine.definitions.load import load
from cadence_engine.definitions.problems import BadDefinitions, Problem, written

GOOD = """\
company: acme
key: reactivation
name: Win back
trigger:
  event: order.paid
steps:
  - key: day-1
    wait: P1D
    template:
      id: t_1
      variables:
        contactName: {from: contact.name}
"""


def problems(text: str, company: str | None = None) -> list[Problem]:
    with pytest.raises(BadDefinitions) as bad:
        load([("f.yaml", text)], company)
    return list(bad.value.problems)


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def test_the_base_of_these_tests_is_good() -> None:
    assert load([("f.yaml", GOOD)], None)


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "says"),
    [
        ("key: reactivation", "key: re activation", 2, "key", "letters, digits"),
        ("key: reactivation", f"key: {'k' * 101}", 2, "key", "at most 100"),
        ("key: reactivation", "key: 7", 2, "key", "must be text: put it in quotes"),
        ("key: reactivation\n", "", 1, "key", "is missing: the cadence's identity"),
        ("name: Win back", "nme: Win back", 3, "nme", "did you mean `name`? (allowed: company, key, name"),
        ("name: Win back", "name: ''", 3, "name", "at least 1 characters"),
        ("name: Win back", "name: 2026-01-01", 3, "name", "reads as a date: put it in quotes"),
        ("name: Win back", "name: !!python/none x", 3, "name", "the tag python/none is not read here"),
        ("company: acme", f"company: {'x' * 201}", 1, "company", "at most 200"),
        ("event: order.paid", "evnt: order.paid", 5, "trigger.evnt", "did you mean `event`? (allowed: event, where"),
        ("event: order.paid", "event: order paid", 5, "trigger.event", "such as contact.created"),
        ("event: order.paid", "event: order.paid\n  after: P1D", 6, "trigger.after", "only the trigger inactivity"),
        ("event: order.paid", "event: inactivity\n  after: P1M", 6, "trigger.after", "years or months"),
        ("event: order.paid", "event: inactivity\n  after: PT0S", 6, "trigger.after", "no time at all"),
        ("event: order.paid", "event: inactivity\n  where: {a: 1}", 6, "trigger.where", "has no data to compare"),
        ("event: order.paid", "event: api\n  where: {a: 1}", 6, "trigger.where", "has no data to compare"),
        ("event: order.paid", "event: x\n  where: {a: {b: 1}}", 6, "trigger.where.a", "text, a number, true"),
        ("event: order.paid", "event: x\n  where: {a: []}", 6, "trigger.where.a", "list of 1 to 100"),
        ("event: order.paid", "event: x\n  where: {a: .inf}", 6, "trigger.where.a", "at most 15 digits"),
        ("event: order.paid", "event: x\n  where: {a: 99999999999999999999}", 6, "trigger.where.a", "fit in 64 bits"),
        ("event: order.paid", "event: x\n  where: [a]", 6, "trigger.where", "mapping of names to values"),
        ("trigger:\n  event: order.paid", "trigger: order.paid", 4, "trigger", "mapping with the keys event, where"),
        ("steps:\n", "reentry: sometimes\nsteps:\n", 6, "reentry", "none of never, always, newActivity, {after: P90D}"),
        ("steps:\n", "reentry: nevr\nsteps:\n", 6, "reentry", "did you mean `never`?"),
        ("steps:\n", "reentry: {aftr: P1D}\nsteps:\n", 6, "reentry.aftr", "did you mean `after`?"),
        ("steps:\n", "reentry: {after: P0D}\nsteps:\n", 6, "reentry.after", "no time at all"),
        ("steps:\n", "cancelOn: reply\nsteps:\n", 6, "cancelOn", "must be a list"),
        ("steps:\n", "cancelOn: [click]\nsteps:\n", 6, "cancelOn[0]", "`click` is none of reply"),
        ("steps:\n", "replyGrace: P1D\nsteps:\n", 6, "replyGrace", "write hours"),
        ("steps:\n", "replyGrace: PT25H\nsteps:\n", 6, "replyGrace", "at most PT24H"),
        ("steps:\n", "replyGrace: 600\nsteps:\n", 6, "replyGrace", "must be an ISO 8601 duration"),
        ("steps:\n", "sendWithin: PT0S\nsteps:\n", 6, "sendWithin", "from PT1S to PT72H"),
        ("steps:\n", "sendWithin: PT73H\nsteps:\n", 6, "sendWithin", "from PT1S to PT72H"),
        ("steps:\n", "language: pt-BR\nsteps:\n", 6, "language", "pt_BR, en_US, en"),
        ("steps:\n", "onCompletion: {addTags: [a, a]}\nsteps:\n", 6, "onCompletion.addTags[1]", "listed twice"),
        ("steps:\n", "onCompletion: {addTag: [a]}\nsteps:\n", 6, "onCompletion.addTag", "did you mean `addTags`?"),
        (GOOD[GOOD.index("steps:") :], "steps: []\n", 6, "steps", "at least 1 entries"),
        (GOOD[GOOD.index("steps:") :], "steps: {a: 1}\n", 6, "steps", "must be a list"),
        ("    wait: P1D\n", "", 7, "steps[0]", "needs `wait`"),
        ("wait: P1D", "wait: P1D\n    offsetDays: 1", 9, "steps[0].offsetDays", "either `wait` or `offsetDays`"),
        ("wait: P1D", "offsetDays: -1", 8, "steps[0].offsetDays", "at least 0"),
        ("wait: P1D", "offsetDays: 731", 8, "steps[0].offsetDays", "at most 730"),
        ("wait: P1D", "offsetDays: 1.5", 8, "steps[0].offsetDays", "whole number"),
        ("wait: P1D", "wait: -P1D", 8, "steps[0].wait", "negative"),
        ("wait: P1D", "wait: 1 day", 8, "steps[0].wait", "weeks, days, hours, minutes and seconds"),
        ("wait: P1D", "wait: P731D", 8, "steps[0].wait", "longer than 730 days"),
        ("wait: P1D", "wait: P1D\n    wait: P2D", 9, "steps[0].wait", "there twice, first on line 8"),
        ("  - key: day-1\n", "  - 5\n  - key: day-1\n", 7, "steps[0]", "mapping with the keys key, wait"),
        ("id: t_1", "id: ''", 10, "steps[0].template.id", "at least 1 characters"),
        ("id: t_1", "id: t_1\n      category: promo", 11, "steps[0].template.category", "marketing, utility, authent"),
        ("{from: contact.name}", "7", 12, "steps[0].template.variables.contactName", "put it in quotes"),
        ("{from: contact.name}", "[a]", 12, "steps[0].template.variables.contactName", "must be text"),
        (
            "{from: contact.name}",
            "{from: contact.nme}",
            12,
            "steps[0].template.variables.contactName.from",
            "did you mean `contact.name`? (allowed: contact.contactId, contact.name, contact.phone, contact.locale, ",
        ),
        (
            "{from: contact.name}",
            "{from: context.}",
            12,
            "steps[0].template.variables.contactName.from",
            "context.NAME",
        ),
        ("{from: contact.name}", "{frm: a}", 12, "steps[0].template.variables.contactName.frm", "did you mean `from`"),
        (
            "{from: contact.name}",
            "{from: contact.name, value: x}",
            12,
            "steps[0].template.variables.contactName.value",
            "either `from` (with or without `else`) or `value`",
        ),
        (
            "{from: contact.name}",
            "{from: contact.name, else: ''}",
            12,
            "steps[0].template.variables.contactName.else",
            "1 to 1024 characters",
        ),
        ("{from: contact.name}", '"a\\tb"', 12, "steps[0].template.variables.contactName", "without line breaks, tabs"),
        ("{from: contact.name}", '"a\\0b"', 12, "steps[0].template.variables.contactName", "control character"),
        ("{from: contact.name}", '"\\ud800"', 12, "steps[0].template.variables.contactName", "half a character"),
        ("contactName:", "contact-name:", 12, "steps[0].template.variables.contact-name", "letters, digits and unders"),
        ("contactName:", "1:", 12, "steps[0].template.variables", "a key must be text: put it in quotes"),
    ],
)
def test_an_error_names_its_line_its_path_and_the_rule(old: str, new: str, line: int, path: str, says: str) -> None:
    found = [
        problem
        for problem in problems(changed(old, new))
        if written(problem.path) == path and says in problem.message and problem.mark.line == line
    ]
    assert found, "\n".join(map(str, problems(changed(old, new))))


def test_an_error_is_written_as_editors_read_it() -> None:
    assert str(problems(changed("wait: P1D", "wait: P1M"))[0]).startswith("f.yaml:8:11: steps[0].wait: `P1M` has years")


def test_a_second_step_with_the_same_key_names_the_first() -> None:
    text = GOOD + "  - {key: day-1, wait: P1D, template: {id: t_2}}\n"
    (problem,) = problems(text)
    assert (problem.mark.line, written(problem.path)) == (13, "steps[1].key")
    assert "`day-1` is the key of steps[0] too" in problem.message


def test_all_errors_of_all_files_are_told_at_once_in_their_order() -> None:
    bad = GOOD.replace("wait: P1D", "wait: P1M").replace("key: reactivation", "key: a b").replace("id: t_1", "idd: t")
    with pytest.raises(BadDefinitions) as told:
        load([("a.yaml", bad), ("good.yaml", GOOD), ("b.yaml", f"{GOOD}---\n{bad}")], None)
    assert [(p.file, p.mark.line, written(p.path)) for p in told.value.problems] == [
        ("a.yaml", 2, "key"),
        ("a.yaml", 8, "steps[0].wait"),
        ("a.yaml", 10, "steps[0].template.id"),
        ("a.yaml", 10, "steps[0].template.idd"),
        ("b.yaml", 2, "key"),
        ("b.yaml", 15, "key"),
        ("b.yaml", 21, "steps[0].wait"),
        ("b.yaml", 23, "steps[0].template.id"),
        ("b.yaml", 23, "steps[0].template.idd"),
    ]


def test_a_key_is_defined_once_per_company() -> None:
    with pytest.raises(BadDefinitions, match=r"b.yaml:2:6: key: `reactivation` is defined before, at a.yaml:2"):
        load([("a.yaml", GOOD), ("b.yaml", GOOD)], None)
    assert len(load([("a.yaml", GOOD), ("b.yaml", GOOD.replace("acme", "other"))], None)) == 2


def test_the_company_must_be_known_and_not_contradicted() -> None:
    (missing,) = problems(GOOD.replace("company: acme\n", ""))
    assert "write `company: ID`, or give --company" in missing.message
    (other,) = problems(GOOD, company="other")
    assert (other.mark.line, other.message) == (1, "is for acme, but --company says other: leave one of them out")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "no definition in it"),
        ("# only a comment\n", 1, "no definition in it"),
        ("- a\n", 1, "must be a mapping with keys such as key"),
        ("key: [a\n", 2, "not YAML: while parsing a flow sequence"),
        ("key: a\n\tname: b\n", 2, "not YAML: while scanning for the next token, found character '\\t'"),
        ("key: a\nname: b: c\n", 2, "not YAML: mapping values are not allowed here"),
        ("key: a\nname: \x07\n", 2, "a control character"),
        ("key: *nobody\n", 1, "undefined alias 'nobody'"),
        ("a: " + "[" * 30 + "]" * 30, 1, "nested more than 20 deep"),
        ("[" * 100_000, 1, "nested more than 20 deep"),
        ("&a [*a]", 1, "nested more than 20 deep"),
        ("&a {<<: *a}", 1, "nested more than 20 deep"),
        ("key: a\n" + "# " + "x" * 300_000, 1, "more than 256 KiB: split the file"),
    ],
)
def test_what_is_no_sound_yaml_says_where(text: str, line: int, says: str) -> None:
    told = [str(problem) for problem in problems(text, "acme")]
    assert any(one.startswith(f"f.yaml:{line}:") and says in one for one in told), told


def test_laughs_are_counted_and_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert any("more than 20000 values" in problem.message for problem in problems("\n".join(lines), "acme"))


def test_documents_before_a_syntax_error_are_checked_too() -> None:
    told = [(p.mark.line, written(p.path)) for p in problems(changed("wait: P1D", "wait: P1M") + "---\nkey: [a\n")]
    assert told == [(8, "steps[0].wait"), (15, "")]


@settings(deadline=None, max_examples=200)
@given(some.data())
def test_any_damage_to_a_file_is_a_definition_or_a_list_of_problems(data: some.DataObject) -> None:
    at = data.draw(some.integers(0, len(GOOD)))
    cut = data.draw(some.integers(0, 20))
    text = GOOD[:at] + data.draw(some.text(max_size=10)) + GOOD[at + cut :]
    try:
        load([("f.yaml", text)], None)
    except BadDefinitions as bad:
        told = bad.problems
    else:
        return
    lines = text.count("\n") + 1
    assert told
    assert all(1 <= problem.mark.line <= lines + 1 and problem.message for problem in told)


def test_half_a_character_is_refused_and_can_be_told() -> None:
    with pytest.raises(BadDefinitions) as raised:
        load([("half.yaml", 'key: a\nlanguage: "\\ud83d"\n')], "acme")
    assert "half a character" in str(raised.value)
    str(raised.value).encode()
