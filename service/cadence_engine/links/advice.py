"""What to do where a server refuses us: told behind the error, wherever `telemetry.describe` describes it.

Keyed by name, so that a command which never meets Kafka need not import its client.
"""

import ssl
from typing import Final

from cadence_engine.links.tls import ENDED, why_refused

RIGHTS: Final = "see the rights under Links in deploy/README.md"

WHAT_TO_DO: Final = {
    "asyncpg.exceptions.InvalidPasswordError": "correct the user or the password of DATABASE_URL",
    "asyncpg.exceptions.InvalidAuthorizationSpecificationError": "see DATABASE_URL, PGSSLMODE and PGSSLCERT here, "
    "and pg_hba.conf at the server",
    "asyncpg.exceptions.InvalidCatalogNameError": "create the database, or correct DATABASE_URL",
    "asyncpg.exceptions.InsufficientPrivilegeError": f"the user of DATABASE_URL lacks a right: {RIGHTS}",
    "aiokafka.errors.SaslAuthenticationFailed": "correct KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD",
    "aiokafka.errors.UnsupportedSaslMechanismError": "choose another KAFKA_SASL_MECHANISM, or enable this one there",
    "aiokafka.errors.TopicAuthorizationFailedError": f"our Kafka user lacks a right on that topic: {RIGHTS}",
    "aiokafka.errors.GroupAuthorizationFailedError": f"our Kafka user lacks a right on that group: {RIGHTS}",
    "aiokafka.errors.ClusterAuthorizationFailedError": f"our Kafka user lacks a right on the cluster: {RIGHTS}",
    "aiokafka.errors.TransactionalIdAuthorizationFailed": "our Kafka user lacks a right on the relay's transactional "
    f"id: {RIGHTS}",
    "redis.exceptions.AuthenticationError": "correct the user or the password of REDIS_URL",
    "redis.exceptions.NoPermissionError": f"the user of REDIS_URL lacks a right: {RIGHTS}",
}


HUNG_UP: Final = "Connection closed by server"
"""What redis-py tells of a server that ends the connection, where the system did not see it reset."""


class Advice(str):
    """A note of ours on an error. Those of libraries may quote what somebody sent, and are not told."""

    __slots__ = ()


def advise(error: BaseException, advice: str) -> None:
    """Have it told behind the error, by whoever describes it."""
    error.add_note(Advice(advice))


def advice_on(error: BaseException) -> list[str]:
    """What was noted on the error, and then what is always to be done about its kind."""
    noted = [str(note) for note in getattr(error, "__notes__", ()) if isinstance(note, Advice)]
    if type(error).__module__.startswith("redis."):
        noted += _of_valkey(error)
    kinds = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return noted + [WHAT_TO_DO[kind] for kind in kinds if kind in WHAT_TO_DO][:1]


def _of_valkey(error: BaseException) -> list[str]:
    if isinstance(error.__context__, ssl.SSLError):
        return [str(why_refused(error.__context__, ca="REDIS_CA_FILE", certificate="REDIS_CERTIFICATE_FILE"))]
    if isinstance(error.__context__, ENDED) or str(error).startswith(HUNG_UP):
        refused = "does it accept our certificate, REDIS_CERTIFICATE_FILE?"
        return [f"if that lasts: is REDIS_URL right about TLS on this port, and {refused}"]
    return []
