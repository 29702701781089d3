"""Optimistic concurrency: an answer carries an ETag, a change names the one that it is based on (RFC 9110)."""

import re

from pydantic import Field

from cadence_engine.api.problems import Code, Problem
from cadence_engine.api.wire import Asked

ANY = "*"
TAGS = r'(\*|(W/)?"[!#-~]{0,100}"(\s*,\s*(W/)?"[!#-~]{0,100}"){0,20})'
TAG = re.compile(r'(W/)?"([!#-~]*)"')


class Preconditions(Asked):
    """The headers of a conditional change."""

    if_match: str | None = Field(
        None,
        alias="If-Match",
        pattern=f"^{TAGS}$",
        description="The ETag that the change is based on: with another one there by now, nothing is changed.",
    )
    if_none_match: str | None = Field(
        None, alias="If-None-Match", pattern=r"^\*$", description="`*`: only make it, where there is none yet."
    )

    def check(self, revision: str | None) -> None:
        """Raises Problem unless the change may be made to what is at `revision` (None: there is nothing yet)."""
        if self.if_none_match is not None and revision is not None:
            raise Problem(Code.PRECONDITION_FAILED, f"it is there already, as {etag(revision)}")
        if self.if_match is None:
            return
        if revision is None:
            raise Problem(Code.PRECONDITION_FAILED, f"If-Match says {self.if_match}, but there is none yet")
        strong = [tag for weak, tag in TAG.findall(self.if_match) if not weak]
        if self.if_match != ANY and revision not in strong:
            raise Problem(Code.PRECONDITION_FAILED, f"it is {etag(revision)} by now, and If-Match says {self.if_match}")


def etag(revision: object) -> str:
    """A strong entity tag."""
    return f'"{revision}"'
