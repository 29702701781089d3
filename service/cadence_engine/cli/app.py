"""The command line: one group of commands per file, mounted here."""

from importlib import import_module
from importlib.util import find_spec

import typer

GROUPS = (
    "processes",
    "relay",
    "topics",
    "definitions",
    "drafts",
    "cadences",
    "cadence_status",
    "moving",
    "enroll",
    "operating",
    "enroll_many",
    "status",
    "simulate",
    "funnel",
    "companies",
    "halts",
    "api_keys",
    "contacts",
    "dead_letters",
    "development",
)
"""Modules of this package, each with `register(app)`. `development` needs the extra `devstack`: it is imported late."""

app = typer.Typer(
    name="cadence-engine",
    help="Enrolls contacts in WhatsApp cadences, runs each due step, stops on a reply, publishes every send once."
    "\n\nSettings come from the environment: DATABASE_URL, REDIS_URL, KAFKA_BOOTSTRAP_SERVERS and CADENCE_*.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # it would print local variables, and with them personal data
    add_completion=False,
)

for group in GROUPS:
    if find_spec(f"{__package__}.{group}"):
        import_module(f"{__package__}.{group}").register(app)
