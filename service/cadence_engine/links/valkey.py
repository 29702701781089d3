"""How every client of Valkey, or Redis, connects."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from redis.asyncio import ConnectionPool

from cadence_engine.settings import Settings


def connections(settings: Settings, **options: Any) -> ConnectionPool:
    """Connections of REDIS_URL, each made when first used; `options` are the client's own. What the URL says prevails.

    With rediss:// the server's certificate and its name are verified.
    """
    url = settings.redis_url.get_secret_value()
    if url.startswith("rediss://"):
        options |= {
            "ssl_ca_certs": settings.redis_ca_file,
            "ssl_certfile": settings.redis_certificate_file,
            "ssl_keyfile": settings.redis_key_file,
            # redis-py verifies no name unless it is told to, and cannot where the URL wants nothing verified.
            "ssl_check_hostname": "none" not in parse_qs(urlsplit(url).query).get("ssl_cert_reqs", []),
        }
    return ConnectionPool.from_url(url, **options)
