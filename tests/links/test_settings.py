"""A link that is set by half is refused before anything connects, by the name of the variable."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from cadence_engine.cli.environment import explain
from cadence_engine.links import tls
from cadence_engine.settings import Settings
from cadence_engine.storage import database
from cadence_engine.telemetry import describe
from tests.links.certificates import Authority


def refused(**variables: str) -> dict[str, str]:
    """What is said of each variable."""
    with pytest.raises(ValidationError) as wrong:
        Settings(DATABASE_URL="postgresql://x/x", **variables)  # type: ignore[arg-type]  # text, as in the environment
    return dict(line.split(": ", 1) for line in explain(wrong.value))


def test_a_user_of_kafka_goes_with_sasl() -> None:
    assert refused(KAFKA_SECURITY_PROTOCOL="SASL_SSL") == {
        "KAFKA_SASL_USERNAME": "is not set, but KAFKA_SECURITY_PROTOCOL is SASL_SSL",
        "KAFKA_SASL_PASSWORD": "is not set, but KAFKA_SECURITY_PROTOCOL is SASL_SSL",
    }
    assert refused(KAFKA_SASL_PASSWORD="secret-word") == {
        "KAFKA_SASL_PASSWORD": "would not be used: KAFKA_SECURITY_PROTOCOL is PLAINTEXT"
    }


def test_certificates_that_would_not_be_used_are_not_taken_for_encryption(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.touch()

    assert "KAFKA_SECURITY_PROTOCOL is PLAINTEXT" in refused(KAFKA_CA_FILE=str(ca))["KAFKA_CA_FILE"]
    assert "does not begin with rediss://" in refused(REDIS_CA_FILE=str(ca))["REDIS_CA_FILE"]


def test_files_are_there_and_keys_have_their_certificates(tmp_path: Path) -> None:
    key = tmp_path / "tls.key"
    key.touch()

    assert "does not point to a file" in refused(PGSSLROOTCERT=str(tmp_path / "none"))["PGSSLROOTCERT"]
    assert "the certificate that it belongs to is not" in refused(PGSSLKEY=str(key))["PGSSLKEY"]
    assert "'verify-full'" in refused(PGSSLMODE="verify_full")["PGSSLMODE"]


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    ours, other = authority.client("a"), authority.client("b")
    empty = tmp_path / "empty.crt"
    empty.touch()

    with pytest.raises(tls.BadCertificate, match=r"empty\.crt holds no certificate of a CA"):
        tls.context(empty, None, None)
    with pytest.raises(tls.BadCertificate, match="are no certificate and its key"):
        tls.context(authority.certificate, ours.certificate, other.key)


async def test_a_file_that_postgres_client_cannot_read_is_told_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty.crt"
    empty.touch()
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(empty))

    with pytest.raises(OSError, match="X509") as wrong:
        await database.connect("postgresql://user:word@localhost:1/db", process="test", size=1)

    assert "PostgreSQL at localhost:1: the files of PGSSLROOTCERT, PGSSLCERT and its key are not" in describe(
        wrong.value
    )
