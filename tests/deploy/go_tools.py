"""Tools that are Go programs: built once, at a fixed version, into the user's cache. Run as a module, all of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import platformdirs

from cadence_engine.devstack.locks import exclusive

TOOLS: Final = {
    "helm": "helm.sh/helm/v3/cmd/helm@v3.22.0",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
}
MISSING: Final = "Go is not on this machine, and {} is built with it: what they check was NOT checked"


class GoMissing(Exception):  # noqa: N818  # says what was not done
    """There is no `go` to build with."""


def tool(name: str) -> Path:
    """The program, built where it was not yet. Raises GoMissing, or CalledProcessError after Go has said why."""
    package = TOOLS[name]
    cache = platformdirs.user_cache_path("cadence-engine") / "go-tools"
    built = cache / f"{name}-{package.rpartition('@')[2]}"
    if built.exists():
        return built
    if not shutil.which("go"):
        raise GoMissing(MISSING.format(name))
    cache.mkdir(parents=True, exist_ok=True)
    with exclusive(cache):  # a second checkout waits here instead of building the same
        if not built.exists():
            print(f"building {package} (once; some minutes) ..", file=sys.stderr)
            arriving = cache / f".arriving-{name}"
            subprocess.run(["go", "install", package], env={**os.environ, "GOBIN": str(arriving)}, check=True)
            (arriving / name).replace(built)
            arriving.rmdir()
    return built


if __name__ == "__main__":
    for each in TOOLS:
        try:
            tool(each)
        except GoMissing as missing:
            print(missing, file=sys.stderr)
