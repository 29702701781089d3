"""What commands say of an idempotency key."""

from cadence_engine.cli.output import Refused


def key_used(idempotency_key: str) -> Refused:
    """The refusal of a key that another request has."""
    return Refused(f"the idempotency key {idempotency_key} was used for something else: give what is new a new key")
