"""A fact and the time it was told: what makes late knowledge harmless."""

from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Known(NamedTuple, Generic[T]):
    """A field of a projection. `at` is None while nobody has said anything about it."""

    value: T
    at: datetime | None = None

    def told(self, value: T, at: datetime) -> "Known[T]":
        """The newer of what is known and what is told; at the same instant, what is told."""
        return self if self.at is not None and self.at > at else Known(value, at)

    def newer(self, other: "Known[T]") -> "Known[T]":
        """The newer of two, `other` where they were told at the same instant; one that nobody told is the older."""
        return self if other.at is None else self.told(other.value, other.at)

    def since(self, at: datetime, blank: T) -> "Known[T]":
        """What is left when everything told up to `at` is forgotten."""
        return self if self.at is not None and self.at > at else Known(blank)


UNTOLD: Known[str | None] = Known(None)


def newest(left: datetime | None, right: datetime | None) -> datetime | None:
    """The later of two instants that may be unknown."""
    if left is None or right is None:
        return left or right
    return max(left, right)
