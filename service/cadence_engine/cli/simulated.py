"""How a simulation is told: as tables, as JSON, as a calendar."""

import sys
from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from cadence_engine.cli import calendar, output
from cadence_engine.cli.output import at
from cadence_engine.cli.timeline import meaning_of
from cadence_engine.domain.schedule import local, local_date
from cadence_engine.handlers.forecast import Forecast
from cadence_engine.handlers.simulate import Plan, SimulatedStep, Timeline

LOCAL = "%a %Y-%m-%d %H:%M:%S"

Days = Mapping[date, tuple[int, list[str]]]


def progress(forecast: Forecast) -> None:
    """How far it has come, on a terminal only."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{forecast.contacts} contacts ..")
        sys.stderr.flush()


def show_timeline(plan: Plan, timeline: Timeline, as_json: bool, svg: Path | None) -> None:
    """One contact's, on stdout; and its calendar where `svg` says."""
    _warn(plan)
    if svg is not None:
        _draw(svg, plan, _days_of_steps(timeline))
    if as_json:
        output.as_json(timeline)
        return
    start = f"{local(timeline.start, timeline.zone):{LOCAL}} ({timeline.zone})"
    output.say(f"{_named(plan)} for {timeline.contact_id}, triggered {start}")
    if timeline.refused is not None:
        output.say(f"Nothing starts ({timeline.refused.value}): {timeline.refused.meaning}")
    elif timeline.enrolled is not None:
        output.say(f"Nothing starts: it is in the cadence already, see `cadence-engine status {timeline.enrolled}`")
    else:
        output.say("")
        output.table(("UTC", "local", "step", "template", "language", "variables"), map(_row, timeline.steps))
        _say_end(timeline)


def _row(step: SimulatedStep) -> tuple[object, ...]:
    if step.parks is not None:
        told: tuple[object, ...] = (step.template, None, f"PARKS, {step.parks.value}: {step.detail}")
    else:
        variables = ", ".join(f"{name}={value}" for name, value in step.variables.items())
        told = (f"{step.template} ({step.category})", step.language, variables or None)
    return (at(step.at), f"{step.local:{LOCAL}}", step.key, *told)


def _say_end(timeline: Timeline) -> None:
    if timeline.completes_at is not None:
        tags = f", tagged {', '.join(timeline.tags)}" if timeline.tags else ""
        output.say(f"\ncompleted {at(timeline.completes_at)}{tags}")
        return
    output.say("\nIt stays parked until that is mended; the step then runs at once.")
    for each in timeline.ahead:
        lacks = f"would park too, {each.obstacle.detail}" if each.obstacle else "could be sent"
        output.say(f"  behind it: {each.key}, {lacks}")


def show_forecast(found: tuple[Plan, Forecast], as_json: bool, svg: Path | None) -> None:
    """An audience's, on stdout; and its calendar where `svg` says."""
    plan, forecast = found
    if sys.stderr.isatty():
        sys.stderr.write("\r")
    _warn(plan)
    if svg is not None:
        days = {day: (sends.total(), [f"{sends.total():,}"]) for day, sends in forecast.sends.items()}
        _draw(svg, plan, days)
    if as_json:
        output.as_json(forecast.as_json())
        return
    output.say(f"{_named(plan)} for {forecast.contacts} contacts: {forecast.started} start")
    if forecast.enrolled_before:
        output.say(f"{forecast.enrolled_before} are in it already")
    if forecast.limit is not None:
        output.say(f"The day's limit of {forecast.limit} is reached: the others follow on later days")
    if forecast.refused:
        output.say("")
        refused = [(amount, reason, meaning_of(reason)) for reason, amount in forecast.refused.most_common()]
        output.table(("refused", "rule", "why"), refused)
    if forecast.parked:
        output.say("")
        output.table(("park", "reason"), [(amount, reason) for reason, amount in forecast.parked.most_common()])
    if forecast.sends:
        steps = [step.key for step in plan.version.definition.steps]
        rows = [(f"{day:%a %Y-%m-%d}", *(forecast.sends[day][key] for key in steps)) for day in sorted(forecast.sends)]
        output.say("")
        output.table((f"sends on ({forecast.zone})", *steps), rows)
    output.say(f"\n{forecast.completed} complete if nobody replies")


def _days_of_steps(timeline: Timeline) -> Days:
    days: dict[date, list[str]] = defaultdict(list)
    for step in timeline.steps:
        parks = "parks: " if step.parks is not None else ""
        days[local_date(step.at, timeline.zone)].append(f"{parks}{step.local:%H:%M} {step.key}")
    return {day: (len(texts), texts) for day, texts in days.items()}


def _draw(path: Path, plan: Plan, days: Days) -> None:
    try:
        path.write_text(calendar.draw(_named(plan), days), encoding="utf-8")
    except calendar.TooLong as long:
        output.warn(f"no calendar is drawn: {long}")
    except OSError as error:
        output.refuse(f"{path}: cannot be written: {error.strerror}")


def _named(plan: Plan) -> str:
    return f"{plan.version.definition.key} v{plan.version.version}"


def _warn(plan: Plan) -> None:
    if plan.standing is not None and plan.paused:
        output.warn(
            f"{plan.standing.key} is {plan.standing.status.value}: nobody enters it now; simulated as if active"
        )
