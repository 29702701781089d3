"""One command for each process of a deployment; each ends cleanly on SIGTERM or Ctrl-C within ten seconds."""

import typer

from cadence_engine import bootstrap, settings
from cadence_engine.bootstrap import Process


def register(app: typer.Typer) -> None:
    """Mount the commands."""
    app.command()(consumer)
    app.command()(worker)
    app.command()(api)
    app.command()(migrate)


def consumer() -> None:
    """Apply the records of the inbound topics: enroll, cancel, project. Scale by partitions."""
    from cadence_engine.bus.consumer import run
    from cadence_engine.handlers.page import apply_page
    from cadence_engine.scheduling.wakeups import Hints

    async def main(process: Process) -> None:
        async with Hints(process.settings, process.readiness) as hints:
            await run(
                process.settings,
                process.stop,
                apply=apply_page,
                policy=process.policy,
                wake=hints.wake,
                readiness=process.readiness,
            )

    raise typer.Exit(bootstrap.run_process("consumer", main, settings.load()))


def worker() -> None:
    """Run due steps, detect silent contacts, keep house. Any number side by side."""
    from cadence_engine.scheduling.worker import run

    async def main(process: Process) -> None:
        await run(process.settings, process.policy, process.pool, process.stop, process.readiness)

    raise typer.Exit(bootstrap.run_process("worker", main, settings.load()))


def api() -> None:
    """Serve the API over HTTP, its description at /docs. Any number side by side."""
    from cadence_engine.api.process import run
    from cadence_engine.bus.reread import reader
    from cadence_engine.bus.topics import gate
    from cadence_engine.scheduling.wakeups import Hints

    async def main(process: Process) -> None:
        async with Hints(process.settings, process.readiness) as hints:
            await run(
                process.settings,
                process.policy,
                process.pool,
                process.stop,
                process.readiness,
                wake=hints.wake,
                read_letter=reader(process.settings, process.policy),
                gate_topics=gate(process.settings),
            )

    raise typer.Exit(bootstrap.run_process("api", main, settings.load()))


def migrate() -> None:
    """Bring the database to this version's schema, then exit. Once per rollout; more at once are harmless."""
    from cadence_engine.storage import database, partitions
    from cadence_engine.storage.migrate import migrate as apply_migrations

    async def main(process: Process) -> None:
        await apply_migrations(process.settings.database_url.get_secret_value())
        await database.run(process.pool, lambda unit: partitions.make_ahead(unit.connection, today_too=True))

    raise typer.Exit(bootstrap.run_process("migrate", main, settings.load(), needs_schema=False))
