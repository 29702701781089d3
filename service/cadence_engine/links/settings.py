"""What is set of the links to the three servers, by the names that their own clients use where there are such."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, FilePath, PostgresDsn, RedisDsn, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]
SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


def _readable(path: Path) -> Path:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    return path


PemFile = Annotated[FilePath, AfterValidator(_readable)]

TLS_OF_KAFKA: Final = ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file")


class LinkSettings(BaseSettings):
    """The part of `Settings` that says how the servers are reached. `kafka` and `valkey` beside make use of it."""

    database_url: SecretStr = Field(validation_alias="DATABASE_URL", description="postgresql://user:password@host/db")
    # asyncpg reads these four by itself; here they are looked at before anything connects.
    postgres_ssl_mode: SslMode | None = Field(None, validation_alias="PGSSLMODE", description="verify-full is safe")
    postgres_ca_file: PemFile | None = Field(None, validation_alias="PGSSLROOTCERT", description="CA, PEM")
    postgres_certificate_file: PemFile | None = Field(None, validation_alias="PGSSLCERT", description="ours, PEM")
    postgres_key_file: PemFile | None = Field(None, validation_alias="PGSSLKEY", description="ours, PEM")

    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379"), validation_alias="REDIS_URL", description="rediss://user:password@host/0"
    )
    redis_ca_file: PemFile | None = Field(
        None, validation_alias="REDIS_CA_FILE", description="CA, PEM; without it those of the system count"
    )
    redis_certificate_file: PemFile | None = Field(
        None, validation_alias="REDIS_CERTIFICATE_FILE", description="ours, PEM"
    )
    redis_key_file: PemFile | None = Field(None, validation_alias="REDIS_KEY_FILE", description="ours, PEM")

    kafka_bootstrap_servers: str = Field("127.0.0.1:9092", validation_alias="KAFKA_BOOTSTRAP_SERVERS")
    kafka_security_protocol: SecurityProtocol = Field("PLAINTEXT", validation_alias="KAFKA_SECURITY_PROTOCOL")
    kafka_sasl_mechanism: SaslMechanism = Field("SCRAM-SHA-512", validation_alias="KAFKA_SASL_MECHANISM")
    kafka_sasl_username: str | None = Field(None, validation_alias="KAFKA_SASL_USERNAME", validate_default=True)
    kafka_sasl_password: SecretStr | None = Field(None, validation_alias="KAFKA_SASL_PASSWORD", validate_default=True)
    kafka_ca_file: PemFile | None = Field(
        None, validation_alias="KAFKA_CA_FILE", description="CA, PEM; without it those of the system count"
    )
    kafka_certificate_file: PemFile | None = Field(
        None, validation_alias="KAFKA_CERTIFICATE_FILE", description="ours, PEM"
    )
    kafka_key_file: PemFile | None = Field(None, validation_alias="KAFKA_KEY_FILE", description="ours, PEM")

    @field_validator("database_url")
    @classmethod
    def _is_postgres(cls, value: SecretStr) -> SecretStr:
        PostgresDsn(value.get_secret_value())
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr) -> SecretStr:
        RedisDsn(value.get_secret_value())
        return value

    @field_validator("redis_ca_file", "redis_certificate_file", "redis_key_file")
    @classmethod
    def _is_used_by_redis(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        url: SecretStr | None = info.data.get("redis_url")
        if value and url and not url.get_secret_value().startswith("rediss://"):
            raise ValueError("would not be used: REDIS_URL does not begin with rediss://")
        return value

    @field_validator(*TLS_OF_KAFKA)
    @classmethod
    def _is_used_by_kafka(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        protocol: str = info.data.get("kafka_security_protocol", "SSL")
        if value and not protocol.endswith("SSL"):
            raise ValueError(f"would not be used: KAFKA_SECURITY_PROTOCOL is {protocol}")
        return value

    @field_validator("kafka_sasl_username", "kafka_sasl_password")
    @classmethod
    def _goes_with_sasl(cls, value: "str | SecretStr | None", info: ValidationInfo) -> "str | SecretStr | None":
        protocol: str | None = info.data.get("kafka_security_protocol")
        if protocol and protocol.startswith("SASL") and not value:
            raise ValueError(f"is not set, but KAFKA_SECURITY_PROTOCOL is {protocol}")
        if protocol and not protocol.startswith("SASL") and value:
            raise ValueError(f"would not be used: KAFKA_SECURITY_PROTOCOL is {protocol}")
        return value

    @field_validator("postgres_key_file", "redis_key_file", "kafka_key_file")
    @classmethod
    def _has_a_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        certificate = str(info.field_name).replace("key", "certificate")
        if value and certificate in info.data and info.data[certificate] is None:
            raise ValueError("is set, but the certificate that it belongs to is not")
        return value
