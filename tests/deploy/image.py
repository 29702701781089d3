"""deploy/Dockerfile and .dockerignore, read as a builder reads them."""

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, NamedTuple

from tests.deploy.composition import ROOT

DOCKERFILE: Final = ROOT / "deploy" / "Dockerfile"


class Instruction(NamedTuple):
    """One instruction, its continued lines joined."""

    word: str
    arguments: str


def instructions() -> list[Instruction]:
    """All of the Dockerfile, in order."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


def stages() -> list[list[Instruction]]:
    """The instructions of each stage, its FROM first."""
    found: list[list[Instruction]] = []
    for instruction in instructions():
        if instruction.word == "FROM":
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


def copied_from_context() -> list[str]:
    """The sources of every COPY that does not name a stage."""
    copies = [instruction.arguments.split() for instruction in instructions() if instruction.word == "COPY"]
    return [source for words in copies if not words[0].startswith("--from") for source in words[:-1]]


def context() -> Iterator[Path]:
    """Every file below the sources of COPY that .dockerignore lets in, relative to the top."""
    for source in copied_from_context():
        path = ROOT / source
        for file in path.rglob("*") if path.is_dir() else [path]:
            if file.is_file() and not is_ignored(file.relative_to(ROOT)):
                yield file.relative_to(ROOT)


def is_ignored(path: Path) -> bool:
    """Whether .dockerignore keeps this file out: its last rule that fits the path, or a folder above it, decides."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            rule = line.removeprefix("!")
            if any(_fits(step, rule) for step in (path, *path.parents[:-1])):
                ignored = not line.startswith("!")
    return ignored


def _fits(path: Path, rule: str) -> bool:
    if rule.startswith("**/"):
        return fnmatch(path.name, rule.removeprefix("**/"))
    return len(path.parts) == len(Path(rule).parts) and fnmatch(str(path), rule)
