"""Free ports for the embedded servers."""

import random
import socket

HOST = "127.0.0.1"
# Below the ports that systems give to outgoing connections: a client that retries while its server is down could
# otherwise be given the server's very port, connect to itself and keep the server from coming back.
RANGE = range(20_000, 32_000)
TRIES = 200


def free_port() -> int:
    """A port that nobody listens on now."""
    for port in random.sample(RANGE, TRIES):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError(f"No free port among {TRIES} tried between {RANGE.start} and {RANGE.stop}.")


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
