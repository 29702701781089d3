"""A typed asyncio client of the management API; needs `cadence-contracts[client]`.

`CadenceClient` has a method for each operation, `models` the bodies, `ProblemError` says why not.
"""

from cadence_contracts.client import models
from cadence_contracts.client.client import CadenceClient, EnrollRow
from cadence_contracts.client.errors import ApiError, ProblemError, UnexpectedAnswerError

__all__ = ["ApiError", "CadenceClient", "EnrollRow", "ProblemError", "UnexpectedAnswerError", "models"]
