"""How every process begins, waits for what is not there yet, and ends within ten seconds of being told to."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import structlog
import uvloop

from cadence_engine import health, telemetry
from cadence_engine.backoff import Backoff, sleep_unless
from cadence_engine.domain.policy import Policy
from cadence_engine.health import Readiness
from cadence_engine.metrics.committed import count
from cadence_engine.metrics.process import PROCESS
from cadence_engine.settings import Settings
from cadence_engine.storage import committed, database, schema_version
from cadence_engine.storage.connection import Pool
from cadence_engine.tracing.exporting import exported

log = structlog.stdlib.get_logger("cadence_engine.bootstrap")

STOP_WITHIN = 9.0  # seconds for the work under way; with what follows, less than the ten that a process has
CLOSE_WITHIN = 0.4
FINE, FAILED = 0, 1

POSTGRES = "postgres"
WAITING = Backoff(first=0.25, most=5.0)
# Not there yet, or not yet willing: worth waiting for. A wrong password or name is not, and ends the process.
NOT_THERE_YET = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # starting, or stopping
    asyncpg.TooManyConnectionsError,
)


@dataclass(frozen=True, slots=True)
class Process:
    """What a process is given to run with."""

    name: str
    settings: Settings
    policy: Policy
    pool: Pool
    """Opened, and grown only when used; a process may have another of its own."""
    stop: asyncio.Event
    """Set on SIGTERM or SIGINT: end soon, but leave no transaction half done."""
    readiness: Readiness


Main = Callable[[Process], Awaitable[None]]


def policy_of(settings: Settings) -> Policy:
    """What the handlers need of the settings."""
    return Policy(
        gate_max_lag=timedelta(seconds=settings.gate_max_lag),
        relay_easy_lag=timedelta(seconds=settings.relay_easy_lag),
        relay_max_lag=timedelta(seconds=settings.relay_max_lag),
        claim_rows=settings.claim_rows,
        default_time_zone=settings.default_time_zone,
        default_language=settings.default_language,
        inbox_memory=timedelta(days=settings.inbox_days),
        letter_memory=timedelta(days=settings.dead_letter_days),
        log_memory=timedelta(days=settings.log_days),
    )


def run_process(name: str, main: Main, settings: Settings, *, needs_schema: bool = True) -> int:
    """Run `main` as the process called `name` until it ends or is told to; answers the exit code.

    0: ended cleanly, also on SIGTERM or SIGINT, and also while still waiting for Postgres. 1: failed, with the reason
    in the log, or had to be cut off. A second signal ends the process at once. With `needs_schema`, `main` starts only
    when the database has been migrated.
    """
    telemetry.configure(name, settings.log_level, readable=settings.log_format == "console")
    with exported(name), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(name, main, settings, needs_schema=needs_schema))


async def _run(name: str, main: Main, settings: Settings, *, needs_schema: bool) -> int:
    _collect_garbage_rarely()
    stop = asyncio.Event()
    _stop_on_signals(stop)
    telemetry.log_loop_errors(asyncio.get_running_loop())
    readiness = Readiness()
    readiness.block(POSTGRES, "not connected yet")
    PROCESS.begins(name, readiness)
    committed.listen(count)
    log.info("process_started")
    try:
        async with health.serve(readiness, settings.health_host, settings.health_port):
            code = await _live(name, main, settings, stop, readiness, needs_schema=needs_schema)
    except Exception as error:  # the last frame before the exit code: say why, whatever it was
        log.critical("process_failed", reason=telemetry.describe(error), exc_info=error)
        return FAILED
    log.info("process_ended", exit_code=code)
    return code


async def _live(
    name: str, main: Main, settings: Settings, stop: asyncio.Event, readiness: Readiness, *, needs_schema: bool
) -> int:
    pool = await _connect(name, settings, stop, readiness)
    if pool is None:
        return FINE
    PROCESS.connects("process", pool)
    try:
        if needs_schema:
            await _wait_for_schema(pool, stop, readiness)
        if stop.is_set():
            return FINE
        readiness.clear(POSTGRES)
        return await _work(main, Process(name, settings, policy_of(settings), pool, stop, readiness))
    finally:
        await _close(pool)


async def _work(main: Main, process: Process) -> int:
    working = asyncio.ensure_future(main(process))
    stopping = asyncio.create_task(process.stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    process.readiness.block("process", "ending")
    await asyncio.wait({working}, timeout=STOP_WITHIN)
    if working.done():
        working.result()
        return FINE
    log.error("process_cut_off", after_seconds=STOP_WITHIN)
    process.pool.terminate()  # first: the server then rolls back, and nothing is cancelled inside a transaction
    working.cancel()
    await asyncio.wait({working}, timeout=CLOSE_WITHIN)
    return FAILED


async def _connect(name: str, settings: Settings, stop: asyncio.Event, readiness: Readiness) -> "Pool | None":
    """The pool, as soon as the server answers; None when told to stop before."""
    failures = 0
    while not stop.is_set():
        try:
            return await database.connect(
                settings.database_url.get_secret_value(), process=name, size=settings.pool_size
            )
        except NOT_THERE_YET as error:
            failures += 1
            await _wait_for_postgres(error, failures, stop, readiness)
    return None


async def _wait_for_postgres(error: Exception, failures: int, stop: asyncio.Event, readiness: Readiness) -> None:
    pause = WAITING.seconds_after(failures)
    readiness.block(POSTGRES, telemetry.describe(error))
    log.warning("waiting_for_postgres", reason=telemetry.describe(error), seconds=round(pause, 2))
    await sleep_unless(stop, pause)


async def _wait_for_schema(pool: Pool, stop: asyncio.Event, readiness: Readiness) -> None:
    looks = 0
    while not stop.is_set():
        looks += 1
        try:
            async with pool.acquire() as connection:
                if not await schema_version.lacking(connection):
                    return
        except NOT_THERE_YET as error:
            await _wait_for_postgres(error, looks, stop, readiness)
            continue
        pause = WAITING.seconds_after(looks)
        readiness.block(POSTGRES, "the schema is not there: run `cadence-engine migrate`")
        log.warning("waiting_for_migration", hint="run `cadence-engine migrate`", seconds=round(pause, 2))
        await sleep_unless(stop, pause)


async def _close(pool: Pool) -> None:
    try:
        async with asyncio.timeout(CLOSE_WITHIN):
            await pool.close()
    except TimeoutError:
        pool.terminate()


def _collect_garbage_rarely() -> None:
    # Batches make many small objects and no circles: looking for circles took a fifth of the time when measured.
    # More than a page of 2,000 records makes, so that none is looked through.
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def stop_now(number: signal.Signals) -> None:
        log.info("process_stopping", signal=number.name)
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop_now, number)
