"""What is wrong with a file of definitions, and where."""

from collections.abc import Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Keys and indexes from a document's top to a place in it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, from 1, as editors count."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One error: the file, the line, the path within the document, and what the rule allows."""

    file: str
    mark: Mark
    path: Path
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.mark.line}:{self.mark.column}: "
        return place + (f"{written(self.path)}: " if self.path else "") + self.message


class BadDefinitions(Exception):  # noqa: N818  # read as a sentence: it says what there is
    """Nothing of these files is applied. `problems`: all of them, in the order of the files and their lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def written(path: Path) -> str:
    """As people write it: `steps[0].template.id`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
