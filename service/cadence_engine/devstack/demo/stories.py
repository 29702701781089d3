"""What happens to the demo's contacts, and to how many of them.

Steps of onboarding are due 4, 9 and 14 s after a contact's creation, those of upsell 3 and 8 s after the purchase,
those of leads 3 and 9 s after the lead: whatever stops them keeps a second or more from each.
"""

from collections.abc import Callable

from cadence_engine.devstack.demo.cast import Contact


def finishes(contact: Contact) -> None:
    contact.is_created()


def replies_before_the_first_step(contact: Contact) -> None:
    contact.is_created()
    contact.writes(3.0)


def replies_after_the_first_step(contact: Contact) -> None:
    contact.is_created()
    contact.writes(6.5)


def replies_after_the_second_step(contact: Contact) -> None:
    contact.is_created()
    contact.writes(11.5)


def becomes_known_by_a_message(contact: Contact) -> None:
    contact.is_created()
    contact.writes(0.4)


def becomes_known_by_a_message_and_replies(contact: Contact) -> None:
    becomes_known_by_a_message(contact)
    contact.writes(6.5)


def is_written_to(contact: Contact) -> None:
    contact.is_created()
    contact.writes(6.5, direction="outbound")


def opts_out(contact: Contact) -> None:
    contact.is_created()
    contact.wants(6.5, "stop")


def opted_out_before(contact: Contact) -> None:
    contact.wants(0.0, "stop")
    contact.is_created(2.0)


def is_deleted(contact: Contact) -> None:
    contact.is_created()
    contact.is_deleted(6.5)


def is_renamed(contact: Contact) -> None:
    contact.is_created()
    contact.is_updated(6.5, name=f"{contact.name} Filho", locale="en-GB")


def tells_the_phone_later(contact: Contact) -> None:
    contact.is_created(phone=None)
    contact.is_updated(6.5, phone=contact.phone)


def never_tells_a_phone(contact: Contact) -> None:
    contact.is_created(phone=None)


def is_announced_twice(contact: Contact) -> None:
    contact.writing.again(contact.at + 2.0, contact.is_created())


def buys(contact: Contact) -> None:
    contact.is_created()
    contact.buys(1.5)


def buys_and_is_billed_twice(contact: Contact) -> None:
    contact.is_created()
    contact.writing.again(contact.at + 16.0, contact.buys(1.5))


def buys_a_gift_card(contact: Contact) -> None:
    contact.is_created()
    contact.buys(1.5, "gift-card")


def buys_and_replies(contact: Contact) -> None:
    contact.is_created()
    contact.buys(1.5)
    contact.writes(7.0)


def buys_before_being_known(contact: Contact) -> None:
    contact.buys(0.0)
    contact.is_created(6.0)


def buys_and_is_never_known(contact: Contact) -> None:
    contact.buys(0.0)


def replies_then_buys(contact: Contact) -> None:
    contact.is_created()
    reply = contact.writes(6.5)
    contact.buys(8.0)
    contact.writing.again(contact.at + 9.5, reply)


def changes_their_mind(contact: Contact) -> None:
    contact.is_created()
    stop = contact.wants(6.5, "stop")
    contact.wants(8.0, "resume")
    contact.buys(9.0)
    contact.writing.again(contact.at + 10.5, stop)


def is_a_lead(contact: Contact) -> None:
    contact.is_known()
    contact.is_a_lead(1.0)


def is_a_lead_and_replies(contact: Contact) -> None:
    is_a_lead(contact)
    contact.writes(6.5)


def is_a_lead_without_a_name(contact: Contact) -> None:
    contact.is_updated(phone=contact.phone)
    contact.is_a_lead(1.0)
    contact.is_updated(6.5, name=contact.name)


def is_a_lead_elsewhere(contact: Contact) -> None:
    contact.is_known()
    contact.is_a_lead(1.0, board="support")


Story = Callable[[Contact], None]
Stories = tuple[tuple[Story, int], ...]

EVERYWHERE: Stories = (
    (finishes, 24),
    (replies_before_the_first_step, 9),
    (replies_after_the_first_step, 12),
    (replies_after_the_second_step, 9),
    (becomes_known_by_a_message, 4),
    (becomes_known_by_a_message_and_replies, 3),
    (is_written_to, 4),
    (opts_out, 4),
    (opted_out_before, 2),
    (is_deleted, 3),
    (is_renamed, 3),
    (tells_the_phone_later, 2),
    (never_tells_a_phone, 1),
    (is_announced_twice, 3),
    (buys, 6),
    (buys_a_gift_card, 2),
    (buys_and_replies, 3),
)
LONG: Stories = (
    (buys_and_is_billed_twice, 2),
    (buys_before_being_known, 2),
    (buys_and_is_never_known, 1),
    (replies_then_buys, 2),
    (changes_their_mind, 2),
)
LEADS: Stories = (
    (is_a_lead, 6),
    (is_a_lead_and_replies, 4),
    (is_a_lead_without_a_name, 2),
    (is_a_lead_elsewhere, 1),
)
"""Of Casa do Porto alone, whose sales board starts a cadence."""
