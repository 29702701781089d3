"""How a call may fail. What is wrong with the way to the engine stays what aiohttp raises: aiohttp.ClientError."""

from collections.abc import Sequence
from typing import Any

from cadence_contracts.client.models import ProblemDetails, Wrong


class ApiError(Exception):
    """The API was reached, and did not do it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class ProblemError(ApiError):
    """The engine's refusal. Programs go by `code`; people read `detail` and `remedy`."""

    def __init__(self, problem: ProblemDetails, retry_after: float | None = None) -> None:
        super().__init__(problem.status, f"{problem.code}: {problem.detail}; {problem.remedy}")
        self.problem = problem
        self.retry_after = retry_after
        """Seconds after which the call may be made again, where the engine said so."""

    def __reduce__(self) -> tuple[type["ProblemError"], tuple[Any, ...]]:
        return type(self), (self.problem, self.retry_after)

    @property
    def code(self) -> str:
        return self.problem.code

    @property
    def detail(self) -> str:
        """What is wrong this time."""
        return self.problem.detail

    @property
    def remedy(self) -> str:
        """What to do."""
        return self.problem.remedy

    @property
    def request_id(self) -> str:
        """Finds the request in the engine's log."""
        return self.problem.request_id

    @property
    def errors(self) -> Sequence[Wrong]:
        """Each thing that is wrong with the request."""
        return self.problem.errors or ()


class UnexpectedAnswerError(ApiError):
    """Something else answered than the engine, as a proxy before it does."""

    def __init__(self, status: int, content_type: str) -> None:
        super().__init__(status, f"answered {status} with {content_type}; is this the address of the engine's API?")
        self.content_type = content_type

    def __reduce__(self) -> tuple[type["UnexpectedAnswerError"], tuple[Any, ...]]:
        return type(self), (self.status, self.content_type)
