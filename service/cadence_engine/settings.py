"""Everything that can be set, from the environment (`CADENCE_` before each name, but for the links to the servers)."""

from functools import lru_cache
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from cadence_contracts.fields import is_zone
from cadence_engine.links.settings import LinkSettings

OidcAlgorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""None that is signed with a shared secret."""


class Settings(LinkSettings):
    """Durations are seconds. Secrets are never printed."""

    model_config = SettingsConfigDict(env_prefix="CADENCE_", extra="ignore", frozen=True, hide_input_in_errors=True)

    topic_prefix: str = Field("", pattern=r"^[a-zA-Z0-9._-]*$", description="before every topic, group and id")
    trigger_topics: Annotated[tuple[str, ...], NoDecode] = Field((), description="further trigger topics, by comma")
    instance: str = Field("", description="static member name of this replica, e.g. the pod's; unique, or empty")
    session_timeout: float = Field(6.0, ge=1, le=60, description="Kafka's, near gate_max_lag")
    page_records: int = Field(2000, ge=1, le=10_000, description="records handled in one transaction")

    default_time_zone: str = "UTC"
    default_language: str = "en_US"

    gate_max_lag: float = Field(5.0, gt=0, description="steps wait while replies are further behind than this")
    relay_easy_lag: float = Field(1.0, gt=0, description="steps run slower while the log is unpublished for longer")
    relay_max_lag: float = Field(10.0, gt=0, description="steps wait while the log is unpublished for longer")
    claim_rows: int = Field(1000, ge=1, le=10_000, description="due steps run in one transaction")
    sweep_every: float = Field(1.0, gt=0)
    plan_every: float = Field(2.0, gt=0)
    detect_every: float = Field(5.0, gt=0)
    upkeep_every: float = Field(60.0, gt=0)
    watermark_every: float = Field(0.05, gt=0)
    measure_every: float = Field(15.0, gt=0, description="a look at what waits in the database, for metrics")

    inbox_days: int = Field(14, ge=1, description="longer than the retention of the inbound topics")
    dead_letter_days: int = Field(30, ge=1, description="dead letters are deleted then, settled or not")
    log_days: int = Field(180, ge=7, description="the log is deleted then, once published; at least inbox_days")
    relay_lease: float = Field(10.0, gt=0)
    relay_batches: int = Field(100, ge=1, le=250, description="batches of the log in one Kafka transaction")

    pool_size: int = Field(4, ge=1, description="connections to PostgreSQL; the consumer takes one per topic at least")
    health_host: str = "127.0.0.1"
    health_port: int = Field(0, ge=0, le=65535, description="liveness, readiness and metrics over HTTP; 0: none")
    api_host: str = "127.0.0.1"
    api_port: int = Field(8000, ge=0, le=65535, description="0: any that is free, told in the log")
    api_body_bytes: int = Field(1024 * 1024, ge=1024, description="the largest body of a call to the API")
    api_requests_per_minute: int = Field(6000, ge=1, description="of one API key or one token's subject")
    oidc_issuer: str | None = Field(None, description="whose tokens count beside API keys, as they name it in `iss`")
    oidc_audience: str = Field("cadence-engine", min_length=1, description="what tokens name in `aud`")
    oidc_algorithms: Annotated[tuple[OidcAlgorithm, ...], NoDecode] = Field(
        ("RS256", "ES256", "EdDSA"), min_length=1, description="of signatures, by comma"
    )
    oidc_jwks_url: str | None = Field(None, description="where the issuer's keys are; without it the issuer is asked")
    oidc_company_claim: str = Field("company_id", min_length=1, description="the claim that names the company")
    oidc_scope_claim: str = Field("scope", min_length=1, description="the claim with cadence:read, cadence:operate, ..")

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = Field("json", description="console: for people, in a terminal")

    @field_validator("trigger_topics", "oidc_algorithms", mode="before")
    @classmethod
    def _by_comma(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("default_time_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        if not is_zone(value):
            raise ValueError("must be a zone of the IANA database, such as America/Sao_Paulo")
        return value

    @field_validator("log_days")
    @classmethod
    def _outlasts_the_inbox(cls, value: int, info: ValidationInfo) -> int:
        inbox_days = info.data.get("inbox_days", 0)
        if value < inbox_days:
            raise ValueError(
                f"must be at least CADENCE_INBOX_DAYS, {inbox_days}: by the log a record of a deleted contact "
                "is known to be old when the inbox has forgotten it"
            )
        return value

    def topic(self, name: str) -> str:
        """The topic as this deployment names it."""
        return f"{self.topic_prefix}{name}"


@lru_cache(maxsize=1)
def load() -> Settings:
    """The settings of this process. Raises pydantic.ValidationError that names each bad variable."""
    return Settings()
