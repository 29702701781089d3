"""Run the engine as on a read-only disk: `read_only.py PATHS WRITABLE ARGUMENT..`.

PATHS, a JSON list, is where its packages are; WRITABLE, another, names the only directories that may be written to.
Whatever Python code tries to write elsewhere fails as the system would make it fail; what C code does is not seen.
"""

import errno
import json
import os
import runpy
import sys
from typing import Final

WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES: Final = {"os.mkdir", "os.rmdir", "os.remove", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod"}


def forbid_writing(writable: tuple[str, ...]) -> None:
    """From now on, and for ever: no audit hook can be taken back."""

    def look(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not (isinstance(flags, int) and flags & WRITES):
                return
        elif event in CHANGES:
            path = arguments[0]
        else:
            return
        if isinstance(path, (str, bytes)) and not os.path.realpath(os.fsdecode(path)).startswith(writable):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    sys.addaudithook(look)


if __name__ == "__main__":
    paths, writable, *arguments = sys.argv[1:]
    sys.path[:0] = json.loads(paths)
    sys.argv = ["cadence-engine", *arguments]
    forbid_writing(("/dev/", *(f"{directory}/" for directory in json.loads(writable))))
    runpy.run_module("cadence_engine", run_name="__main__", alter_sys=True)
