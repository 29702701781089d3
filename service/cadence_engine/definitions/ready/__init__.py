"""The cadences that every company may start with, applied by name."""

from importlib.resources import files

NAMES = ("reactivation", "onboarding", "upsell")


def text_of(name: str) -> str:
    """The YAML of a ready cadence; `name` is one of NAMES."""
    return (files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")
