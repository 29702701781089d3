"""The engine with its servers on one machine: `dev` keeps it running, `demo` shows and checks what it does."""

from pathlib import Path

import typer

EXTRA = "devstack"
FAILED = 1


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command()(dev)
    app.command()(demo)


def dev() -> None:
    """Run the whole engine in this terminal, with its servers, until Ctrl-C. Writes their addresses to .local/env.

    Where DATABASE_URL, REDIS_URL or KAFKA_BOOTSTRAP_SERVERS is set, that server is used instead: its database is
    migrated, missing topics are made, and nothing of it is removed at the end.
    """
    _need_extra()
    from rich.console import Console

    from cadence_engine.devstack import dev as development
    from cadence_engine.devstack.errors import DevstackError

    try:
        code = development.run(Path.cwd(), Console())
    except DevstackError as error:
        _fail(error)
    raise typer.Exit(code)


def demo() -> None:
    """Watch some hundred contacts of three companies go through cadences of seconds, and check what came of it.

    Where DATABASE_URL, REDIS_URL or KAFKA_BOOTSTRAP_SERVERS is set, that server is used instead: the demo works in a
    database and on topics of its own there, and removes both. Exits with 1 when anything came out other than it must.
    """
    _need_extra()
    from rich.console import Console

    from cadence_engine.devstack.demo import run
    from cadence_engine.devstack.errors import DevstackError

    try:
        code = run.run(Path.cwd(), Console())
    except DevstackError as error:
        _fail(error)
    raise typer.Exit(code)


def _need_extra() -> None:
    try:
        import cadence_engine.devstack.servers  # noqa: F401
    except ModuleNotFoundError as missing:
        if missing.name is not None and missing.name.startswith("cadence_engine"):
            raise
        typer.echo(f"{missing.name} is not installed: pip install 'cadence-engine[{EXTRA}]'", err=True)
        raise typer.Exit(FAILED) from None


def _fail(error: Exception) -> None:
    typer.echo(str(error), err=True)
    raise typer.Exit(FAILED) from None
