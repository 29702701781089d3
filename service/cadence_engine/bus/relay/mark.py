"""The mark: what the newest Kafka transaction carried, in the form in which Kafka keeps it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate, pairwise
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

METADATA_CHARACTERS: Final = 4096
"""`offset.metadata.max.bytes` of the broker by default; more is fatal to the producer."""


class _Metadata(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    digest: str = Field(max_length=64)
    batches: list[int]
    """The first id, then each one's distance from the one before."""


class UnreadableMark(ValueError):  # noqa: N818  # it names what was found
    """The metadata of the committed offset are not the relay's."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Kafka transaction `number` carried the batches with these ids, ascending, and brought the digest to this."""

    number: int
    digest: str
    batch_ids: tuple[int, ...] = ()

    @property
    def metadata(self) -> str:
        distances = [*self.batch_ids[:1], *(later - earlier for earlier, later in pairwise(self.batch_ids))]
        return _Metadata(digest=self.digest, batches=distances).model_dump_json()

    @classmethod
    def read(cls, offset: int, metadata: str) -> "Mark":
        """The mark in a committed offset. Raises UnreadableMark."""
        try:
            told = _Metadata.model_validate_json(metadata)
        except ValidationError as wrong:
            raise UnreadableMark("the mark's metadata cannot be read: something else wrote it") from wrong
        return cls(offset, told.digest, tuple(accumulate(told.batches)))


def fitting(batch_ids: Sequence[int]) -> int:
    """How many of the ids, from the first, a mark has room for."""
    room = METADATA_CHARACTERS - len(Mark(0, "0" * 64).metadata)
    for count, (earlier, later) in enumerate(pairwise((0, *batch_ids))):
        room -= len(str(later - earlier)) + 1
        if room < 0:
            return count
    return len(batch_ids)


def chain(digest: str, batches: Iterable[tuple[int, Iterable[UUID]]]) -> str:
    """The digest after publishing these batches, each its id and its events' ids, in order."""
    hashed = sha256(digest.encode())
    for batch_id, event_ids in batches:
        hashed.update(batch_id.to_bytes(8, "big"))
        for event_id in event_ids:
            hashed.update(event_id.bytes)
    return hashed.hexdigest()[:32]
