"""Runs a command as nobody when we are root: PostgreSQL refuses to run as root.

`python -m cadence_engine.devstack.unprivileged COMMAND ..` becomes nobody, then the command. No system user is made
and no directory's permissions are widened; instead nobody keeps root's right to walk through directories, without
which it could reach neither the server's program nor its data in a checkout below /root.
"""

import contextlib
import ctypes
import os
import pwd
import struct
import sys
from pathlib import Path

CANDIDATES = ("nobody", "daemon")

_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2


def as_needed(command: list[str]) -> list[str]:
    """The command, or when we are root, the one that runs it as nobody."""
    if os.geteuid() != 0:
        return command
    return [sys.executable, "-P", "-m", "cadence_engine.devstack.unprivileged", *command]


def give(directory: Path) -> None:
    """Make nobody the owner of a directory when we are root."""
    if os.geteuid() == 0:
        account = _account()
        os.chown(directory, account.pw_uid, account.pw_gid)


def _account() -> pwd.struct_passwd:
    for name in CANDIDATES:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    sys.exit(
        f"PostgreSQL does not run as root, and there is no account {' or '.join(CANDIDATES)} to run it as. "
        "Run as another user, or set DATABASE_URL to use your own PostgreSQL."
    )


def _become(account: pwd.struct_passwd) -> None:
    linux = sys.platform == "linux"
    libc = ctypes.CDLL(None, use_errno=True)
    if linux:
        libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    if linux:
        # Where the container withholds this right both calls fail, and the directories' own permissions decide.
        mask = 1 << _CAP_DAC_OVERRIDE
        libc.capset(struct.pack("Ii", _CAPABILITY_VERSION_3, 0), struct.pack("6I", mask, mask, mask, 0, 0, 0))
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


if __name__ == "__main__":
    try:
        _become(_account())
        os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - the very purpose: no shell, the same process
    except OSError as error:
        sys.exit(
            f"Cannot run {sys.argv[1]} as an account other than root: {error}. "
            "Run as another user, or set DATABASE_URL to use your own PostgreSQL."
        )
