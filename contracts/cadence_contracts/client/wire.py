"""What the bodies of requests and answers have in common."""

from pydantic import BaseModel, ConfigDict, PrivateAttr
from pydantic.alias_generators import to_camel


def _on_the_wire(name: str) -> str:
    return to_camel(name.rstrip("_"))  # `from_` is `from`


class Asked(BaseModel):
    """A body that you send: of it only what you set goes out, so that what you leave out stays as it is."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=_on_the_wire, validate_by_name=True, validate_by_alias=True
    )


class Told(BaseModel):
    """A body that the engine answers. What a newer engine adds is passed over."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=_on_the_wire, validate_by_name=True, validate_by_alias=True
    )


class Tagged(Told):
    """An answer with an ETag."""

    _etag: str = PrivateAttr("")

    @property
    def etag(self) -> str:
        """For `if_match` of the change that is based on what was answered."""
        return self._etag

    def tagged(self, etag: str) -> None:
        """Called once, with the answer's header."""
        self._etag = etag
