"""What can go wrong with the embedded servers; each message says what to do."""


class DevstackError(Exception):
    """An embedded server cannot be had; the message says why and what to do."""


class DownloadError(DevstackError):
    """A jar of Apache Kafka could not be downloaded."""


class AlteredJarError(DevstackError):
    """A downloaded jar is not the one that this project was tested with."""


class ServerStartError(DevstackError):
    """A server ended, or did not answer in time; the message holds the tail of its log."""
