"""A PostgreSQL that encrypts by itself, where one is installed: users by certificate, and nobody in clear."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from cadence_engine.devstack.postgres import PROGRAMS_VARIABLE, Postgres
from cadence_engine.devstack.unprivileged import give
from cadence_engine.storage import database
from cadence_engine.storage.connection import Pool
from cadence_engine.telemetry import describe
from tests.links.certificates import NAME, Authority


def _encrypts(programs: Path) -> bool:
    asked = subprocess.run([programs / "pg_config", "--configure"], capture_output=True, text=True, check=False)
    return "openssl" in asked.stdout and (programs / "initdb").exists()


BUILT_WITH_TLS = sorted(folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if _encrypts(folder))

pytestmark = pytest.mark.skipif(
    not BUILT_WITH_TLS, reason="NOT CHECKED: TLS by PostgreSQL itself. None that can is below /usr/lib/postgresql."
)


class EncryptingPostgres(Postgres):
    """Lets in whoever shows a certificate with the user's name, and others by password and TLS."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        super().__init__(directory)
        self._authority = authority

    def configure(self) -> list[str]:
        command = super().configure()
        files = {
            "ssl_ca_file": self._authority.certificate,
            "ssl_cert_file": self._authority.server.certificate,
            "ssl_key_file": self._authority.server.key,
        }
        for setting, source in files.items():
            ours = self._cluster / setting
            ours.write_bytes(source.read_bytes())
            ours.chmod(0o600)
            give(ours)
        with (self._cluster / "postgresql.auto.conf").open("a") as settings:
            settings.writelines(f"{setting} = '{setting}'\n" for setting in files)
            settings.write("ssl = 'on'\n")
        (self._cluster / "pg_hba.conf").write_text(
            "hostssl all cadence 127.0.0.1/32 cert\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        )
        return command


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("postgres-itself") / "authority")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[EncryptingPostgres]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PROGRAMS_VARIABLE, str(BUILT_WITH_TLS[-1]))
        server = EncryptingPostgres(tmp_path_factory.mktemp("server") / "postgres", authority)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def verified(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment says which certificates to trust."""
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(authority.certificate))


async def connected(url: str) -> Pool:
    return await database.connect(url, process="test", size=1)


async def refused(url: str) -> str:
    with pytest.raises(asyncpg.PostgresError) as error:
        await connected(url)
    return describe(error.value)


@pytest.mark.usefixtures("verified")
async def test_a_certificate_is_enough_of_a_user(
    server: EncryptingPostgres, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_password = server.url.replace("127.0.0.1", NAME)
    by_certificate = f"postgresql://cadence@{NAME}:{server.port}/cadence"
    async with await connected(by_password) as pool:
        await pool.execute("CREATE ROLE cadence LOGIN")
    without = await refused(by_certificate)
    ours = authority.client("cadence")
    monkeypatch.setenv("PGSSLCERT", str(ours.certificate))
    monkeypatch.setenv("PGSSLKEY", str(ours.key))

    async with await connected(by_certificate) as pool:
        assert await pool.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert "see DATABASE_URL, PGSSLMODE and PGSSLCERT here, and pg_hba.conf at the server" in without


async def test_whoever_does_not_encrypt_is_told_so(server: EncryptingPostgres) -> None:
    told = await refused(f"{server.url}?sslmode=disable")

    assert "no encryption" in told
    assert "PGSSLMODE" in told
