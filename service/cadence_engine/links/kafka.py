"""How every client of Kafka connects, and why none can."""

import asyncio
import ssl
from typing import Final, TypedDict

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError

from cadence_engine.links import tls
from cadence_engine.links.advice import advice_on
from cadence_engine.settings import Settings

ASK_WITHIN: Final = 3.0


class Security(TypedDict):
    """As aiokafka's clients take it."""

    security_protocol: str
    ssl_context: ssl.SSLContext | None
    sasl_mechanism: str
    sasl_plain_username: str | None
    sasl_plain_password: str | None


class Link(Security):
    """All that a client needs to connect."""

    bootstrap_servers: str


def security(settings: Settings) -> Security:
    """Encryption and user. The files are read anew each time, so that a renewed certificate is used by new clients.

    Raises BadCertificate.
    """
    encrypted = settings.kafka_security_protocol.endswith("SSL")
    password = settings.kafka_sasl_password
    return {
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": tls.context(settings.kafka_ca_file, settings.kafka_certificate_file, settings.kafka_key_file)
        if encrypted
        else None,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
    }


def link(settings: Settings) -> Link:
    """The arguments of an aiokafka consumer, producer or admin client. Raises BadCertificate."""
    return {"bootstrap_servers": settings.kafka_bootstrap_servers, **security(settings)}


async def why_unreachable(settings: Settings) -> str:
    """Asks each bootstrap server once more, as aiokafka keeps the reason to itself: a sentence for each."""
    servers = collect_hosts(settings.kafka_bootstrap_servers, randomize=False)
    return "; ".join(await asyncio.gather(*(_why(settings, host, port) for host, port, _ in servers)))


async def _why(settings: Settings, host: str, port: int) -> str:
    try:
        async with asyncio.timeout(ASK_WITHIN):
            (await create_conn(host, port, **security(settings))).close()
    except (KafkaError, OSError, TimeoutError) as error:
        return f"{host}:{port}: {_told(error, settings)}"
    return f"{host}:{port}: answers now"


def _told(error: Exception, settings: Settings) -> str:
    refused = tls.why_refused(error, ca="KAFKA_CA_FILE", certificate="KAFKA_CERTIFICATE_FILE")
    if refused:
        return f"{refused} ({error})"
    if isinstance(error, (KafkaConnectionError, *tls.ENDED)):
        protocol = settings.kafka_security_protocol
        shown = settings.kafka_certificate_file or protocol == "SSL"
        accepted = ", and does it accept our certificate, KAFKA_CERTIFICATE_FILE" if shown else ""
        return f"it ended the connection: is {protocol} the KAFKA_SECURITY_PROTOCOL of this port{accepted}?"
    return "; ".join([str(error) or type(error).__name__, *advice_on(error)])
