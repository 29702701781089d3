"""The schema's history; `migrate` applies it."""

from pathlib import Path

SCRIPTS = Path(__file__).parent
