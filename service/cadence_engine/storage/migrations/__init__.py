"""The schema's history; `migrate` applies it."""

from pathlib import Path

SCRIPTS = Path(__file__).parent
ROLLOUT_LOCK = 0x0CADE9CE  # advisory: two rollouts do not race
