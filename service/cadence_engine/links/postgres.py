"""What to say where PostgreSQL cannot be connected to.

asyncpg itself reads what libpq would: the URL with its `sslmode`, or PGSSLMODE, PGSSLROOTCERT, PGSSLCERT and PGSSLKEY.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import asyncpg

from cadence_engine.links.advice import advise
from cadence_engine.links.tls import ENDED, why_refused


@contextmanager
def advised(database_url: str) -> Iterator[None]:
    """Notes on what is raised inside which server it was, and what to do where TLS is the reason."""
    try:
        yield
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        refused = why_refused(error, ca="PGSSLROOTCERT", certificate="PGSSLCERT")
        if isinstance(error, (asyncpg.ConnectionDoesNotExistError, *ENDED)):
            refused = "it ended the connection: does it accept our certificate, PGSSLCERT?"
        if isinstance(error, ConnectionError) and "rejected SSL" in str(error):
            refused = "it does not encrypt: have it do so, or change PGSSLMODE"
        advise(error, f"PostgreSQL at {_place(database_url)}" + (f": {refused}" if refused else ""))
        raise


def _place(database_url: str) -> str:
    """Never the user or the password."""
    return urlsplit(database_url).netloc.rpartition("@")[2] or "a local socket"
