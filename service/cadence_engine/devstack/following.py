"""Shows the logs of several processes in one terminal, each line behind its process's name."""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.text import Text

LOOK_EVERY = 0.1
COLOURS = ("cyan", "magenta", "green", "blue", "yellow")
LEVELS = {"warning": "yellow", "error": "bold red", "critical": "bold red"}
SAID_ELSEWHERE = ("time", "level", "process", "action", "traceback")


class Following:
    """From entering to leaving, prints what is appended to the files; the last lines too."""

    def __init__(self, console: Console, files: Mapping[str, Path]) -> None:
        self._console = console
        width = max(map(len, files))
        self._tails = [
            _Tail(path, Text(f"{name:<{width}} | ", style=COLOURS[place % len(COLOURS)]))
            for place, (name, path) in enumerate(files.items())
        ]
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="following", daemon=True)

    def __enter__(self) -> "Following":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._left.wait(LOOK_EVERY):
            self._print_new()
        self._print_new()

    def _print_new(self) -> None:
        for tail in self._tails:
            for line in tail.new_lines():
                self._console.print(tail.prefix + readable(line), soft_wrap=True)


class _Tail:
    """How far a file has been read; a line that is still being written waits for its end."""

    def __init__(self, path: Path, prefix: Text) -> None:
        self.prefix = prefix
        self._path = path
        self._offset = 0

    def new_lines(self) -> Sequence[str]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:  # not started yet
            return ()
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.decode(errors="replace").splitlines()


def readable(line: str) -> Text:
    """A log line for people: local time, level, action, then what else it says; a line that is no JSON as it is."""
    try:
        said = orjson.loads(line)
        at = datetime.fromisoformat(said["time"]).astimezone()
        level, action = str(said["level"]), str(said["action"])
    except (ValueError, TypeError, KeyError):
        return Text(line)
    shown = Text(f"{at:%H:%M:%S} ")
    shown.append(f"{level:<8}", style=LEVELS.get(level, "dim"))
    shown.append(action, style="bold")
    for name, value in said.items():
        if name not in SAID_ELSEWHERE:
            shown.append(f" {name}=", style="dim").append(_plain(value))
    return shown


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
