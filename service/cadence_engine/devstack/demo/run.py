"""`cadence-engine demo`: set up, play, watch, judge; ends by itself."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from cadence_engine.definitions.load import CompanyDefinition, load
from cadence_engine.devstack import servers
from cadence_engine.devstack.demo import display, verdict
from cadence_engine.devstack.demo.demands import Demands, derive
from cadence_engine.devstack.demo.display import Display
from cadence_engine.devstack.demo.playing import Played, play
from cadence_engine.devstack.demo.reading import read
from cadence_engine.devstack.demo.script import EVENTS, Script
from cadence_engine.devstack.demo.script import read as read_script
from cadence_engine.devstack.demo.seen import Seen
from cadence_engine.devstack.demo.stage import PREFIX, stage
from cadence_engine.devstack.demo.verdict import Verdict
from cadence_engine.devstack.errors import DevstackError
from cadence_engine.devstack.fleet import Fleet, command
from cadence_engine.devstack.preparing import prepare
from cadence_engine.devstack.stopping import stopping_once

CADENCES = Path(__file__).with_name("cadences.yaml")
SHOW_EVERY = 0.25
ENDS_WITHIN = timedelta(seconds=60)
"""After the last record: what is not there by then is missing."""
QUIET = timedelta(seconds=3)
"""After the last record: so long a repetition is given to do harm."""
PAST_DUE = timedelta(seconds=1.5)
"""A cancelled passage is watched beyond the moment at which it would have gone on."""
RIGHT, WRONG, INTERRUPTED = 0, 1, 130


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the script demanded, what came, and the verdict."""

    demands: Demands
    seen: Seen
    verdict: Verdict


def run(root: Path, console: Console) -> int:
    """The whole demo; answers the exit code. Raises DevstackError where something cannot be started."""
    for name in [name for name in os.environ if name.startswith("CADENCE_")]:
        del os.environ[name]  # a setting of this shell shall not decide whether the demo succeeds
    script, definitions = read_script(EVENTS.read_text(encoding="utf-8")), definitions_of(CADENCES)
    with stopping_once(), contextlib.suppress(KeyboardInterrupt):
        console.print("Starting the servers ..")
        with servers.running(root) as running, stage(running) as environment:
            console.print("Migrating the database, making the topics ..")
            prepare(environment)
            with Fleet(running.directory, environment) as engine:
                console.print("Applying the cadences, starting consumer, worker and relay ..")
                command(environment, "apply", str(CADENCES), "--actor", "demo")
                engine.start()
                try:
                    outcome = asyncio.run(perform(script, definitions, environment, console))
                except ExceptionGroup as group:
                    causes = "; ".join(str(error) or repr(error) for error in group.exceptions)
                    raise DevstackError(f"The demo could not be played to its end: {causes}") from group
                if (ended := engine.ended()) is not None:
                    console.print(f"The {ended.name} has ended by itself.", style="red")
            display.conclude(console, outcome.verdict, outcome.seen, outcome.demands.repetitions)
            if outcome.verdict.differences:
                _keep_logs(engine, root / ".local" / "logs-of-failed-demo", console)
                return WRONG
            return RIGHT
    return INTERRUPTED


def definitions_of(file: Path) -> list[CompanyDefinition]:
    """The definitions in a file that names their companies."""
    return load([(file.name, file.read_text(encoding="utf-8"))], None)


async def perform(
    script: Script, definitions: Sequence[CompanyDefinition], environment: Mapping[str, str], console: Console
) -> Outcome:
    """Play the script to a running engine that has the definitions, and judge what comes out."""
    played, seen = Played(), Seen(environment[PREFIX])
    shown = Display(console, played, seen, len(script.lines))
    with shown.live():
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read(environment, seen))
            playing = group.create_task(play(script, environment, seen.prefix, played))
            while not playing.done():
                await asyncio.sleep(SHOW_EVERY)
                shown.show()
            demands = derive(played.published, script.acts, definitions)
            ended_at = datetime.now(UTC)
            while not _is_over(demands, seen, datetime.now(UTC) - ended_at):
                await asyncio.sleep(SHOW_EVERY)
                shown.show()
            reading.cancel()
    return Outcome(demands, seen, verdict.reach(demands, seen))


def _is_over(demands: Demands, seen: Seen, since_last: timedelta) -> bool:
    """Whether all that is demanded is there, and what must not come has had its time to."""
    if since_last > ENDS_WITHIN:
        return True
    traces = seen.traces.values()
    ended = sum(trace.completed or trace.cancelled is not None for trace in traces)
    to_end = sum(not passage.stays_parked for passage in demands.passages.values())
    awaited = [trace.next_due for trace in traces if trace.cancelled is not None and trace.next_due is not None]
    return (
        ended >= to_end
        and sum(trace.parked for trace in traces) >= len(demands.passages) - to_end
        and len(seen.dead_letters) >= len(demands.dead_letters)
        and since_last > QUIET
        and all(due + PAST_DUE < datetime.now(UTC) for due in awaited)
    )


def _keep_logs(engine: Fleet, directory: Path, console: Console) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for process in engine.processes:
        shutil.copy(process.log, directory / f"{process.name}.log")
    console.print(f"The processes' logs are kept in {os.path.relpath(directory)}.", soft_wrap=True)
