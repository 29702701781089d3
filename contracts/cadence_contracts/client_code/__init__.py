"""The client's generated code, made of `openapi.yaml`: models of the bodies and a method for each operation.

What the document says and this cannot put into code is refused with a `ValueError`, and never left out.
"""

import subprocess
import sys
from typing import Any, Final

from cadence_contracts.client_code import models, operations

HEADER: Final = '''"""{about}

Generated from openapi.yaml by python -m cadence_contracts.generate: do not edit.
"""
'''
RUFF: Final = (sys.executable, "-m", "ruff")
STYLE: Final = ("--isolated", "--line-length=120", "--target-version=py311")
TIDY: Final = ("--fix", "--select=I,F401,PIE807", "--config=lint.isort.known-first-party=['cadence_contracts']")


def generated(document: dict[str, Any]) -> dict[str, str]:
    """The text of each module of `cadence_contracts.client` that is generated, by its name."""
    return {
        "models.py": _formatted(HEADER.format(about="The bodies of requests and answers.") + models.code(document)),
        "operations.py": _formatted(HEADER.format(about="A method for each operation.") + operations.code(document)),
    }


def _formatted(code: str) -> str:
    for command in (("check", "--quiet", *TIDY), ("format",)):
        done = subprocess.run([*RUFF, *command, *STYLE, "-"], input=code, capture_output=True, text=True, check=True)
        code = done.stdout
    return code
