"""Asking whether something is meant that many would notice, or that nothing brings back."""

import sys

import typer

from cadence_engine.cli.output import refuse


def ask(would: str, *, yes: bool) -> None:
    """Return if that is meant; else nothing was done: exit code 1, and how to have it done.

    `would`: what would happen, as a sentence without its end. `yes`: the option `--yes`, by which nobody is asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        refuse(f"{would}; nothing was done: say --yes where nobody can be asked")
    if not typer.confirm(f"{would}. Go on?", err=True):
        refuse("nothing was done")
