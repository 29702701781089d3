"""Keys for the API: create, list, rotate, revoke."""

import secrets
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, assert_never

import typer

from cadence_engine.cli import output, session
from cadence_engine.cli.output import at
from cadence_engine.cli.session import Actor, Company, Json, Session
from cadence_engine.definitions.durations import BadDuration, parse_wait
from cadence_engine.domain.api_key import SECRET_BYTES, ApiKey, Scope
from cadence_engine.handlers.api_keys import (
    Ended,
    NewKey,
    NotFound,
    Revoked,
    Rotated,
    create_key,
    revoke_key,
    rotate_key,
)
from cadence_engine.storage import api_keys

ID_BYTES = 6
LONGEST = timedelta(days=3650)

group = typer.Typer(no_args_is_help=True, help="Keys for the API. Each belongs to one company.")

KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="As `api-key list` shows it.")]


def register(app: typer.Typer) -> None:
    """Mount the group."""
    app.add_typer(group, name="api-key")


def _span(text: str) -> timedelta:
    try:
        wait = parse_wait(text)
        span = timedelta(days=wait.days) + wait.exact
    except (BadDuration, OverflowError) as bad:
        raise typer.BadParameter(str(bad)) from bad
    if span > LONGEST:
        raise typer.BadParameter(f"at most {LONGEST.days} days")
    return span


def _checked(text: str | None) -> str | None:
    if text is not None:
        _span(text)
    return text


def _name(text: str) -> str:
    if not (0 < len(text) <= 100 and text.isprintable()):
        raise typer.BadParameter("must be 1 to 100 characters on one line")
    return text


@group.command()
def create(
    name: Annotated[str, typer.Argument(help="Who it is for; told as the actor of all it does.", callback=_name)],
    company: Company,
    actor: Actor,
    *,
    scope: Annotated[
        list[Scope],
        typer.Option(help="; ".join(f"{each.value}: {each.meaning}" for each in Scope) + ". More than once for more."),
    ],
    lifetime: Annotated[
        str | None, typer.Option(help="ISO 8601, such as P90D; without it the key never expires.", callback=_checked)
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key, and show it once."""
    drawn = _draw()

    async def main(opened: Session) -> ApiKey:
        return await opened.run(
            lambda unit: create_key(
                unit,
                company,
                name=name,
                scopes=scope,
                lifetime=None if lifetime is None else _span(lifetime),
                drawn=drawn,
                actor=actor,
            )
        )

    _show_once(session.run(main), drawn, as_json=as_json)


@group.command("list")
def list_(company: Company, *, as_json: Json = False) -> None:
    """The company's keys, those that count no more too; a key itself is not kept and cannot be shown."""

    async def main(opened: Session) -> list[ApiKey]:
        async with opened.pool.acquire() as connection:
            return list(await api_keys.listed(connection, company))

    keys = session.run(main)
    if as_json:
        output.as_json([_told(key) for key in keys])
    elif not keys:
        output.say(f"{company} has no key. Make one with: cadence-engine api-key create NAME --scope read")
    else:
        output.table(
            ("key id", "name", "scopes", "created", "by", "expires", "revoked", "rotated to"),
            [
                (
                    key.key_id,
                    key.name,
                    ", ".join(sorted(key.scopes)),
                    at(key.created_at),
                    key.created_by,
                    at(key.expires_at),
                    key.revoked_at and f"{at(key.revoked_at)} by {key.revoked_by}",
                    key.rotated_to,
                )
                for key in keys
            ],
        )


@group.command()
def rotate(
    key_id: KeyId,
    company: Company,
    actor: Actor,
    *,
    overlap: Annotated[
        str, typer.Option(help="How long the old key still counts: ISO 8601.", callback=_checked)
    ] = "PT24H",
    as_json: Json = False,
) -> None:
    """Make another key that may do the same, and show it once; the old one counts a while longer."""
    drawn = _draw()

    async def main(opened: Session) -> Rotated | NotFound | Ended:
        return await opened.run(
            lambda unit: rotate_key(unit, company, key_id, overlap=_span(overlap), drawn=drawn, actor=actor)
        )

    outcome = session.run(main)
    match outcome:
        case Rotated(old, new):
            _show_once(new, drawn, as_json=as_json)
            output.warn(f"the old key {old.key_id} counts until {at(old.expires_at)}")
        case NotFound():
            _refuse_unknown(company, key_id)
        case Ended(key):
            output.refuse(f"{key_id} counts no more since {at(key.ended_at())}: make a new one with `api-key create`")
        case _:
            assert_never(outcome)


@group.command()
def revoke(key_id: KeyId, company: Company, actor: Actor) -> None:
    """End a key at once. Again is fine."""

    async def main(opened: Session) -> Revoked | NotFound:
        return await opened.run(lambda unit: revoke_key(unit, company, key_id, actor=actor))

    outcome = session.run(main)
    match outcome:
        case Revoked(key):
            output.say(f"{key.key_id} ({key.name}) counts no more, revoked {at(key.revoked_at)} by {key.revoked_by}")
        case NotFound():
            _refuse_unknown(company, key_id)
        case _:
            assert_never(outcome)


def _draw() -> NewKey:
    return NewKey(secrets.token_hex(ID_BYTES), secrets.token_bytes(SECRET_BYTES))


def _show_once(key: ApiKey, drawn: NewKey, *, as_json: bool) -> None:
    if as_json:
        output.as_json({**_told(key), "key": drawn.text})
    else:
        output.say(drawn.text)
        output.warn(f"key {key.key_id} of {key.company_id}: keep it now, it is not shown again")


def _told(key: ApiKey) -> dict[str, Any]:
    told = asdict(key) | {"scopes": sorted(key.scopes)}
    del told["digest"]
    return told


def _refuse_unknown(company: str, key_id: str) -> None:
    output.refuse(f"{company} has no key {key_id}: see `cadence-engine api-key list`")
