"""Halting: no step of a company, or of any, is decided until it is ended; people come and go meanwhile.

What a halt promises: once `claims_over` has returned, no transaction that did not see the halt can decide a send any
more. What was decided before is in the log, and is published.
"""

from dataclasses import dataclass

from uuid_utils.compat import uuid7

from cadence_engine.storage import companies, halts
from cadence_engine.storage.database import UnitOfWork
from cadence_engine.storage.halts import Halt


@dataclass(frozen=True, slots=True)
class Halted:
    """In force for whoever claims from the commit on; `claims_over` waits for those that claimed before."""

    halt: Halt


@dataclass(frozen=True, slots=True)
class AlreadyHalted:
    """In force before, and left as it was."""

    halt: Halt


@dataclass(frozen=True, slots=True)
class UnknownCompany:
    """Nobody has told of that company: halting a name that is misspelt would hold nothing."""


@dataclass(frozen=True, slots=True)
class Unhalted:
    """Steps run again; those that became due meanwhile as after an outage: the longest due first, and a fair share of
    each company's.
    """

    halt: Halt


@dataclass(frozen=True, slots=True)
class NotHalted:
    """None is in force there. That of a company does not end by ending that of all, nor the other way about."""


async def halt(
    unit: UnitOfWork, company_id: str | None, *, actor: str, reason: str
) -> Halted | AlreadyHalted | UnknownCompany:
    """Hold every step of the company, or of all companies where it is None."""
    if company_id is not None and not await companies.load(unit.connection, [company_id]):
        return UnknownCompany()
    begun = await halts.begin(unit.connection, uuid7(), company_id, actor, reason)
    if begun is not None:
        return Halted(begun)
    in_force = await halts.one_in_force(unit.connection, company_id)
    if in_force is None:  # it was ended between the two statements
        return await halt(unit, company_id, actor=actor, reason=reason)
    return AlreadyHalted(in_force)


async def claims_over(unit: UnitOfWork) -> None:
    """Wait for the claims under way when a halt was committed; in a transaction of its own, after that commit."""
    await halts.wait_for_claims(unit.connection)


async def unhalt(unit: UnitOfWork, company_id: str | None, *, actor: str, reason: str | None) -> Unhalted | NotHalted:
    """End the halt of the company, or that of all."""
    ended = await halts.end(unit.connection, company_id, actor, reason)
    return NotHalted() if ended is None else Unhalted(ended)
