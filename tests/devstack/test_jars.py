"""Kafka's jars come from a Maven registry (here one in a directory) and are used only when they are the right ones."""

import hashlib
import io
from pathlib import Path

import pytest
from jgo.maven import MavenContext
from rich.console import Console

from cadence_engine.devstack.errors import AlteredJarError, DownloadError
from cadence_engine.devstack.jars import Jar, committed_jars, fetch
from cadence_engine.devstack.ports import free_port

CONTENT = b"a jar's content"
JAR = Jar("org.example:thing:1.0", hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def registry(tmp_path: Path) -> MavenContext:
    """A Maven registry that offers JAR."""
    repository = tmp_path / "repository"
    _offer(repository, CONTENT)
    return MavenContext(local_repos=[repository], remote_repos={})


def _offer(repository: Path, content: bytes) -> None:
    path = repository / "org/example/thing/1.0/thing-1.0.jar"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_jars_are_fetched_into_the_cache_with_visible_progress(tmp_path: Path, registry: MavenContext) -> None:
    cache, screen = tmp_path / "cache", io.StringIO()

    paths = fetch([JAR], cache, registry, Console(file=screen))

    assert [path.read_bytes() for path in paths] == [CONTENT]
    assert "1 of 1 jars" in screen.getvalue()
    assert [path.name for path in cache.iterdir()] == ["thing-1.0.jar"]


def test_an_altered_jar_is_refused_and_not_kept(tmp_path: Path, registry: MavenContext) -> None:
    _offer(registry.local_repos[0], b"something else")

    with pytest.raises(AlteredJarError, match=r"org.example:thing:1.0 is not the jar .* KAFKA_BOOTSTRAP_SERVERS"):
        fetch([JAR], tmp_path / "cache", registry)

    assert list((tmp_path / "cache").iterdir()) == []


def test_a_jar_that_rotted_in_the_cache_is_fetched_again(tmp_path: Path, registry: MavenContext) -> None:
    (path,) = fetch([JAR], tmp_path / "cache", registry)
    path.write_bytes(CONTENT[:-1])

    fetch([JAR], tmp_path / "cache", registry)

    assert path.read_bytes() == CONTENT


def test_a_cache_that_is_whole_needs_no_registry(tmp_path: Path, registry: MavenContext) -> None:
    fetch([JAR], tmp_path / "cache", registry)
    nowhere = MavenContext(remote_repos={})

    assert fetch([JAR], tmp_path / "cache", nowhere)[0].read_bytes() == CONTENT


def test_an_unreachable_registry_says_what_to_do(tmp_path: Path) -> None:
    unreachable = MavenContext(remote_repos={"unreachable": f"http://127.0.0.1:{free_port()}"})

    with pytest.raises(DownloadError) as failure:
        fetch([JAR], tmp_path / "cache", unreachable, attempts=2)

    for advice in ("org.example:thing:1.0", "HTTPS_PROXY", "jgo.conf", "KAFKA_BOOTSTRAP_SERVERS"):
        assert advice in str(failure.value)


def test_every_committed_jar_has_a_whole_sum() -> None:
    jars = committed_jars()

    assert any(jar.coordinate.startswith("org.apache.kafka:kafka_2.13:4.3.") for jar in jars)
    assert all(len(bytes.fromhex(jar.sha256)) == hashlib.sha256().digest_size for jar in jars)
    assert len({jar.file_name for jar in jars}) == len(jars)
