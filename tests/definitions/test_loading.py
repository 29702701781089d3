"""What a file of definitions means."""

from datetime import timedelta

import pytest

from cadence_engine.definitions.load import CompanyDefinition, load
from cadence_engine.domain.cadence import (
    Definition,
    Literally,
    Lookup,
    Reentry,
    ReentryRule,
    Source,
    Step,
    Template,
    Trigger,
    Wait,
)

CONTRACT = """
company: acme
key: reactivation                # identity within the company
name: Win back silent contacts
trigger: {event: inactivity, after: P21D}
reentry: newActivity
cancelOn: [reply]
replyGrace: PT0S
sendWithin: PT1H
language: pt_BR
steps:
  - key: day-1
    wait: P1D
    template:
      {id: reactivation_1, category: marketing, variables: {contactName: {from: contact.name, else: "tudo bem"}}}
  - key: day-4
    wait: P3D
    template: {id: reactivation_2}
onCompletion: {addTags: [reactivation-done]}
"""


def one(text: str, company: str | None = "acme") -> Definition:
    (loaded,) = load([("cadence.yaml", text)], company)
    return loaded.definition


def smallest(extra: str = "", trigger: str = "{event: api}") -> str:
    return f"key: k\nname: K\ntrigger: {trigger}\nsteps: [{{key: a, wait: PT0S, template: {{id: t}}}}]\n{extra}\n"


def test_the_example_of_the_contract() -> None:
    assert load([("cadence.yaml", CONTRACT)], None) == [
        CompanyDefinition(
            "acme",
            Definition(
                key="reactivation",
                name="Win back silent contacts",
                trigger=Trigger("inactivity", {}, Wait(days=21)),
                reentry=Reentry(ReentryRule.NEW_ACTIVITY),
                cancel_on_reply=True,
                reply_grace=timedelta(),
                send_within=timedelta(hours=1),
                language="pt_BR",
                steps=(
                    Step(
                        "day-1",
                        Wait(days=1),
                        Template(
                            "reactivation_1",
                            "marketing",
                            {"contactName": Lookup(Source.CONTACT, "name", "tudo bem")},
                        ),
                    ),
                    Step("day-4", Wait(days=3), Template("reactivation_2", "marketing", {})),
                ),
                completion_tags=("reactivation-done",),
            ),
        )
    ]


def test_what_is_left_out_has_its_default() -> None:
    definition = one(smallest())
    assert definition.cancel_on_reply
    assert definition.reply_grace == timedelta()
    assert definition.send_within == timedelta(hours=1)
    assert definition.language is None
    assert definition.completion_tags == ()
    assert definition.steps[0].template == Template("t", "marketing", {})


@pytest.mark.parametrize(
    ("trigger", "rule"),
    [
        ("contact.created", ReentryRule.NEVER),
        ("inactivity", ReentryRule.NEW_ACTIVITY),
        ("purchase.completed", ReentryRule.ALWAYS),
        ("api", ReentryRule.ALWAYS),
    ],
)
def test_reentry_defaults_by_trigger(trigger: str, rule: ReentryRule) -> None:
    assert one(smallest(trigger=f"{{event: {trigger}}}")).reentry == Reentry(rule)


def test_reentry_after_a_time() -> None:
    assert one(smallest("reentry: {after: P90D}")).reentry == Reentry(ReentryRule.AFTER, Wait(days=90))


def test_an_empty_cancel_on_goes_on_after_a_reply() -> None:
    assert not one(smallest("cancelOn: []")).cancel_on_reply


def test_offset_days_are_accepted_for_a_wait() -> None:
    text = smallest().replace("wait: PT0S", "offsetDays: 3")
    assert one(text).steps[0].wait == Wait(days=3)


def test_where_takes_one_scalar_or_several_and_keeps_their_types() -> None:
    trigger = "{event: order.paid, where: {product: starter, size: [1, 1.0, true, '1', null]}}"
    where = one(smallest(trigger=trigger)).trigger.where
    assert where["product"] == ("starter",)
    assert [(type(value), value) for value in where["size"]] == [
        (int, 1),
        (float, 1.0),
        (bool, True),
        (str, "1"),
        (type(None), None),
    ]


def test_yaml_is_read_as_1_2_so_that_words_stay_words() -> None:
    where = one(smallest(trigger="{event: order.paid, where: {on: yes, n: off, octal: 010}}")).trigger.where
    assert where == {"on": ("yes",), "n": ("off",), "octal": (10,)}


def test_variables_in_their_three_forms() -> None:
    variables = "{a: plain text, b: {value: 'yes'}, c: {from: context.order total, else: '0'}, d: {from: lead.boardId}}"
    template = one(smallest().replace("{id: t}", f"{{id: t, variables: {variables}}}")).steps[0].template
    assert template.variables == {
        "a": Literally("plain text"),
        "b": Literally("yes"),
        "c": Lookup(Source.CONTEXT, "order total", "0"),
        "d": Lookup(Source.LEAD, "boardId"),
    }


def test_anchors_and_merges() -> None:
    text = """
key: k
name: K
trigger: {event: api}
steps:
  - &first {key: a, wait: P1D, template: {id: t, variables: &v {n: {from: contact.name}}}}
  - <<: *first
    key: b
    template: {id: u, variables: *v}
"""
    first, second = one(text).steps
    assert (second.key, second.wait) == ("b", Wait(days=1))
    assert second.template.variables == first.template.variables


def test_several_documents_and_files_each_with_its_company() -> None:
    texts = [("a.yaml", f"{smallest('company: acme')}---\n{smallest('company: other')}---\n"), ("b.yaml", CONTRACT)]
    loaded = load(texts, None)
    assert [(each.company_id, each.definition.key) for each in loaded] == [
        ("acme", "k"),
        ("other", "k"),
        ("acme", "reactivation"),
    ]


def test_a_company_given_outside_is_for_documents_that_name_none() -> None:
    assert load([("a.yaml", smallest())], "acme")[0].company_id == "acme"
    assert load([("a.yaml", smallest("company: acme"))], "acme")[0].company_id == "acme"
