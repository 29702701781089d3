"""Dead letters: replay and drop, one or many, with a count first."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from cadence_engine import settings
from cadence_engine.cli import consent, output, progress, session
from cadence_engine.cli.dead_letter_options import (
    Everyones,
    OneLetter,
    Reason,
    Since,
    Topic,
    Until,
    Whom,
    Whose,
    chosen_by,
    unknown,
)
from cadence_engine.cli.idempotency import key_used
from cadence_engine.cli.session import Actor, Session, Yes, external_id
from cadence_engine.handlers import replay as handler
from cadence_engine.handlers.idempotency import KeyUsedForAnother
from cadence_engine.handlers.replay import Settled
from cadence_engine.handlers.settle_letters import (
    Batch,
    Further,
    Once,
    Settle,
    replay_once,
    settle_batch,
    settle_batch_once,
)
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.letter_filter import LetterFilter
from cadence_engine.storage.reports import dead_letters as reports
from cadence_engine.storage.reports.dead_letters import Tally
from cadence_engine.storage.settling_letters import Place
from cadence_engine.storage.watermark import clock

MOST_TOLD = 5


def register(group: typer.Typer) -> None:
    """Mount the commands."""
    group.command()(replay)
    group.command()(drop)


def replay(
    actor: Actor,
    letter: OneLetter = None,
    company: Whose = None,
    *,
    all_companies: Everyones = False,
    topic: Topic = None,
    code: Reason = None,
    contact: Whom = None,
    since: Since = None,
    until: Until = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for the record.")] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            help="The same with the same choice goes on where it was interrupted, and answers the same.",
            callback=external_id,
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Apply what is understood by now, each letter once, at its record's own time; says how many first.

    Without options: all of the company. What is still not understood stays, with its new reason. To repeat the command
    is harmless: what was applied before, be it under another offset, is not applied again.
    """
    chosen = chosen_by(company, topic, code, since, until, contact=contact, all_companies=all_companies, letter=letter)
    once = None
    if idempotency_key is not None:
        if chosen.company_id is None:
            output.refuse("an idempotency key is one company's: give --company, or no key; to repeat is harmless")
        once = replay_once(chosen.company_id, idempotency_key, chosen, reason)
    # Late, as Kafka's client is slow to import; the letters are read exactly as the consumer reads records.
    from cadence_engine.bus.reread import reader
    from cadence_engine.bus.topics import gate

    loaded = settings.load()

    async def main(opened: Session) -> Settled:
        read = reader(loaded, opened.policy)

        async def settle(unit: UnitOfWork, chosen: LetterFilter, topic: str, after: Place) -> Settled:
            return await handler.replay(
                unit, chosen, topic, actor=actor, reason=reason, read=read, policy=opened.policy, after=after
            )

        return await _settle(opened, chosen, settle, "replayed", gate(loaded), letter, once, yes=yes)

    _say(session.run(main), "replayed")


def drop(
    actor: Actor,
    reason: Annotated[str, typer.Option("--reason", help="Why nobody needs it; kept, so name no person.")],
    letter: OneLetter = None,
    company: Whose = None,
    *,
    all_companies: Everyones = False,
    topic: Topic = None,
    code: Reason = None,
    contact: Whom = None,
    since: Since = None,
    until: Until = None,
    yes: Yes = False,
) -> None:
    """Forget what records held; that they were there, who dropped them and why stays. Says how many first."""
    chosen = chosen_by(company, topic, code, since, until, contact=contact, all_companies=all_companies, letter=letter)
    if not reason.strip():
        output.refuse("say why: --reason")

    async def main(opened: Session) -> Settled:
        async def settle(unit: UnitOfWork, chosen: LetterFilter, topic: str, after: Place) -> Settled:
            return await handler.drop(unit, chosen, topic, actor=actor, reason=reason, after=after)

        return await _settle(opened, chosen, settle, "dropped", (), letter, yes=yes)

    _say(session.run(main), "dropped")


async def _settle(
    opened: Session,
    chosen: LetterFilter,
    settle: Settle,
    verb: str,
    gate: Sequence[str],
    letter: str | None,
    once: Once | None = None,
    *,
    yes: bool,
) -> Settled:
    """Count, ask, and settle in batches, each a transaction: interrupted, what was done is done."""
    async with opened.pool.acquire() as connection:
        # What is found dead after the count is not part of what was agreed to.
        chosen = replace(chosen, until=chosen.until or await clock(connection))
        counted = await reports.tally(connection, chosen)
    total = sum(each.letters for each in counted)
    if not letter:
        _ask(counted, total, verb, yes=yes)
    done, further = Settled(), None
    with progress.bar() as bar:
        task = bar.add_task(f"dead letters {verb}", total=total)
        while True:

            async def work(unit: UnitOfWork, further: Further | None = further) -> Batch:
                if once is None:
                    return await settle_batch(unit, chosen, settle, gate=gate, further=further)
                answered = await settle_batch_once(unit, once, chosen, settle, gate=gate, further=further)
                if isinstance(answered, KeyUsedForAnother):
                    raise key_used(once.idempotency_key)
                return answered

            batch = await opened.run(work)
            if letter and not batch.settled.letters:
                raise output.Refused(f"{unknown(chosen, letter)}, or it is settled: see `dead-letters show`")
            done, further = _sum(done, batch.settled), batch.further
            bar.advance(task, batch.settled.letters)
            if further is None:
                return done


def _ask(counted: Sequence[Tally], total: int, verb: str, *, yes: bool) -> None:
    if not total:
        return
    output.table(("letters", "topic", "code"), [(each.letters, each.topic, each.reason) for each in counted])
    consent.ask(f"{total} dead letters would be {verb}", yes=yes)


def _sum(done: Settled, more: Settled) -> Settled:
    return Settled(
        applied=done.applied + more.applied,
        seen=done.seen + more.seen,
        dropped=done.dropped + more.dropped,
        still_dead=(*done.still_dead, *more.still_dead),
        unpublished=done.unpublished + more.unpublished,
    )


def _say(done: Settled, word: str) -> None:
    settled = done.applied + done.seen + done.dropped
    before = f", {done.seen} of them without effect: applied before" if done.seen else ""
    output.say(f"{settled} {word}{before}")
    if done.still_dead:
        output.say(f"{len(done.still_dead)} are still not understood, and stay:")
        for each in done.still_dead[:MOST_TOLD]:
            output.say(f"  {each.topic}/{each.partition}/{each.offset}: {each.reason}: {each.detail}")
        if len(done.still_dead) > MOST_TOLD:
            output.say("  and more, see `dead-letters list`")
    if done.unpublished:
        output.say(f"{done.unpublished} are not on the dead-letter topic yet, and stay: again when the relay has them")
