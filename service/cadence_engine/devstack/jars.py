"""Apache Kafka's jars: downloaded once per user from Maven's registry, checked against committed SHA-256 sums.

`python -m cadence_engine.devstack.jars` downloads what is missing; with a version of Kafka as its argument it resolves
that version anew and rewrites the committed sums.
"""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import jgo
import platformdirs
import requests
import stamina
from jgo.config import GlobalSettings
from jgo.maven import MavenContext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cadence_engine.devstack.errors import AlteredJarError, DevstackError, DownloadError
from cadence_engine.devstack.locks import exclusive

SUMS = Path(__file__).with_name("kafka-jars.sha256")
# Kafka logs through slf4j 1.7 and brings no backend: without one its log, and so every error of its start, is lost.
LOG_BACKEND = "org.slf4j:slf4j-simple:1.7.36"
PARALLEL_DOWNLOADS = 6


@dataclass(frozen=True, slots=True)
class Jar:
    """One file of the class path: `coordinate` is Maven's group:artifact:version."""

    coordinate: str
    sha256: str

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def committed_jars(sums: Path = SUMS) -> list[Jar]:
    """The jars that this project was tested with, in class path order."""
    lines = (line.split() for line in sums.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(coordinate, sha256) for sha256, coordinate in lines]


def cache_directory() -> Path:
    """Where jars are kept between runs, shared by all checkouts of one user."""
    return platformdirs.user_cache_path("cadence-engine") / "kafka"


def maven_registry() -> MavenContext:
    """Maven's public registry, or the mirrors named in jgo's own settings file."""
    mirrors = GlobalSettings.load().repositories
    return MavenContext(remote_repos=mirrors or None, timeout=30)


def fetch(
    jars: Iterable[Jar],
    cache: Path,
    registry: MavenContext | None = None,
    console: Console | None = None,
    attempts: int = 4,
) -> list[Path]:
    """Make sure that every jar is in the cache and is the one asked for; returns the paths in the given order.

    Raises DownloadError (registry unreachable) or AlteredJarError (content is not what was asked for).
    """
    jars = list(jars)
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DevstackError(
            f"Cannot make the directory for Apache Kafka's jars, {cache}: {error.strerror}. "
            "Point XDG_CACHE_HOME at a writable directory, or set KAFKA_BOOTSTRAP_SERVERS to use your own Kafka."
        ) from error
    with exclusive(cache):  # a second checkout waits here instead of downloading the same
        missing = [jar for jar in jars if not _is_intact(cache / jar.file_name, jar)]
        if missing:
            _download(missing, cache, registry or maven_registry(), console or Console(stderr=True), attempts)
    return [cache / jar.file_name for jar in jars]


def _is_intact(path: Path, jar: Jar) -> bool:
    return path.is_file() and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(missing: list[Jar], cache: Path, registry: MavenContext, console: Console, attempts: int) -> None:
    for left in cache.glob(".arriving-*"):  # by a download that was killed; we hold the cache, so nobody uses it
        shutil.rmtree(left, ignore_errors=True)
    # A directory beside the finished jars: what arrives broken or half is never taken for a jar.
    arriving = Path(tempfile.mkdtemp(prefix=".arriving-", dir=cache))
    registry.repo_cache = arriving
    pool = ThreadPoolExecutor(PARALLEL_DOWNLOADS)
    given_up = Event()
    try:
        with _Shown(console, len(missing)) as shown:
            arrivals = {pool.submit(_download_one, jar, registry, attempts, given_up): jar for jar in missing}
            for arrival in as_completed(arrivals):
                jar = arrivals[arrival]
                arrived = shutil.copy(arrival.result(), arriving)  # what lies in a local repository stays there
                _refuse_unless_intact(Path(arrived), jar)
                shown.arrived(Path(arrived).stat().st_size)
                Path(arrived).replace(cache / jar.file_name)
    finally:
        given_up.set()
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(arriving, ignore_errors=True)


def _download_one(jar: Jar, registry: MavenContext, attempts: int, given_up: Event) -> Path:
    def is_worth_a_retry(error: Exception) -> bool:
        # jgo raises RuntimeError for every answer but 200, so for an overloaded registry too.
        return isinstance(error, requests.RequestException | RuntimeError) and not given_up.is_set()

    artifact = registry.create_dependency(jar.coordinate).artifact
    try:
        for attempt in stamina.retry_context(on=is_worth_a_retry, attempts=attempts):
            with attempt:
                if artifact.cached_path is not None:  # jgo would take the half of an interrupted try for the whole
                    artifact.cached_path.unlink(missing_ok=True)
                return Path(artifact.resolve())
    except (requests.RequestException, RuntimeError) as error:
        raise DownloadError(
            f"Cannot download {jar.coordinate}, a part of the embedded Apache Kafka, from Maven's registry, "
            f"tried {attempts} times: {error}\n"
            "Is there a network? Behind a proxy set HTTPS_PROXY; behind a mirror name it under [repositories] in "
            "~/.config/jgo.conf; or set KAFKA_BOOTSTRAP_SERVERS to use a Kafka of your own. What has arrived is kept."
        ) from error
    raise AssertionError("stamina returns or raises")


def _refuse_unless_intact(path: Path, jar: Jar) -> None:
    found = _sha256(path)
    if found != jar.sha256:
        raise AlteredJarError(
            f"{jar.coordinate} is not the jar that this project was tested with: its SHA-256 is {found}, "
            f"{SUMS.name} says {jar.sha256}. It was not used. A proxy or mirror may have altered or cut it: try again "
            "on another network, or set KAFKA_BOOTSTRAP_SERVERS to use a Kafka of your own."
        )


class _Shown:
    """The download's progress: a bar on a terminal, a line now and then in a pipe."""

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._total = console, total
        self._count = self._bytes = 0
        self._bar = Progress(
            TextColumn("Downloading Apache Kafka (once)"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("jars, {task.fields[megabytes]:.1f} MB"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total, megabytes=0.0)

    def __enter__(self) -> "_Shown":
        self._bar.start()
        if not self._console.is_terminal:
            self._console.print(f"Downloading Apache Kafka (once): {self._total} jars")
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def arrived(self, size: int) -> None:
        self._count += 1
        self._bytes += size
        self._bar.update(self._task, completed=self._count, megabytes=self._bytes / 1e6)
        if not self._console.is_terminal and (self._count % 10 == 0 or self._count == self._total):
            self._console.print(f"  {self._count} of {self._total} jars, {self._bytes / 1e6:.1f} MB")


def _rewrite_sums(version: str) -> None:
    """Resolve Kafka and its dependencies, download them, and commit to what arrived."""
    resolved = [
        f"{a.groupId}:{a.artifactId}:{a.version}" for a in jgo.resolve(f"org.apache.kafka:kafka_2.13:{version}")
    ]
    with tempfile.TemporaryDirectory() as directory:
        registry = maven_registry()
        registry.repo_cache = Path(directory)
        lines = [
            f"{_sha256(_download_one(Jar(coordinate, ''), registry, 4, Event()))}  {coordinate}\n"
            for coordinate in [*resolved, LOG_BACKEND]
        ]
    SUMS.write_text("".join(lines))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _rewrite_sums(sys.argv[1])
    else:
        try:
            fetch(committed_jars(), cache_directory())
        except DevstackError as error:
            sys.exit(str(error))
