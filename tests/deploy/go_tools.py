"""Go programs that tests need: built once into the user's cache, of modules pinned by hash. Run as a module, all."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import platformdirs

from cadence_engine.devstack.locks import exclusive

MODULES: Final = Path(__file__).parent / "go-tools"
FLAGS: Final = {"promtool": ["-tags=remove_all_sd,enable_dns_sd"]}  # without the clients of every cloud
BUILT_WITHIN: Final = 1200.0


class GoMissing(Exception):  # noqa: N818  # says what was not done
    """There is no `go` to build with."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Go is not on this machine, and {name} is built with it: what it checks was NOT checked")


def names() -> list[str]:
    """Each tool is a folder of `go-tools`, whose go.mod says what it is and go.sum what it must be made of."""
    return sorted(module.parent.name for module in MODULES.glob("*/go.mod"))


def tool(name: str) -> Path:
    """The program, built where it was not yet. Raises GoMissing, or CalledProcessError after Go has said why."""
    module = MODULES / name
    pins = hashlib.sha256(b"".join((module / file).read_bytes() for file in ("go.mod", "go.sum"))).hexdigest()
    cache = platformdirs.user_cache_path("cadence-engine") / "go-tools"
    built = cache / f"{name}-{pins[:16]}"
    if built.exists():
        return built
    go = shutil.which("go")
    if not go:
        raise GoMissing(name)
    cache.mkdir(parents=True, exist_ok=True)
    with exclusive(cache):  # a second checkout waits here instead of building the same
        if not built.exists():
            print(f"building {name} (once; some minutes) ..", file=sys.stderr)
            arriving = cache / f".arriving-{name}"
            subprocess.run(
                [go, "build", "-mod=readonly", "-trimpath", *FLAGS.get(name, []), "-o", arriving, "tool"],
                cwd=module,
                check=True,
                timeout=BUILT_WITHIN,
            )
            arriving.replace(built)
    return built


if __name__ == "__main__":
    for each in names():
        try:
            tool(each)
        except GoMissing as missing:
            print(missing, file=sys.stderr)
