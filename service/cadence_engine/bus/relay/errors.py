"""Why the relay cannot go on, in words for the operator."""


class RelayError(Exception):
    """The relay cannot go on."""


class HistoryMismatch(RelayError):  # noqa: N818  # it names what was found
    """Kafka's mark and the database tell different histories: somebody has to say which one to trust."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the relay stands still, nothing is published: {found}. This database is not the one that wrote the mark: "
            "it was restored, failed over with a loss, or swapped (or Kafka was). See what is at stake with "
            "`cadence-engine relay resolve`; then decide with `cadence-engine relay resolve --trust database` (nothing "
            "is missing on Kafka, something may be there twice) or `--trust kafka` (nothing logged so far is published "
            "again, something may be missing); then start the relays, and restart consumers and workers"
        )


class LeaseTaken(RelayError):  # noqa: N818  # it names what was found
    """Another process leads."""

    def __init__(self, leader: str | None) -> None:
        super().__init__(
            f"the relay {leader or 'of another process'} is publishing: stop it first, then run this again"
        )
