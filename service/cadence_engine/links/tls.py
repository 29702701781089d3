"""The client's side of TLS, the same for every server: its context, and why a handshake failed."""

import ssl
from pathlib import Path
from typing import Final

ANOTHER_NAME: Final = frozenset({62, 64})  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and .._IP_ADDRESS_MISMATCH
EXPIRED: Final = 10

ENDED: Final = (ConnectionResetError, BrokenPipeError)
"""How the end of a connection may show. With TLS 1.3 a server refuses our certificate after the handshake, by this."""

NO_PEM: Final = frozenset({"NO_CERTIFICATE_OR_CRL_FOUND", "NO_START_LINE", "BAD_BASE64_DECODE", "KEY_VALUES_MISMATCH"})


class BadCertificate(OSError):  # noqa: N818  # it names what was found
    """A file of ours is not what it should be. To be waited for as a server is: the next try reads it anew."""


def context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Verifies the server's certificate and its name, by the CA's file or those of the system; shows ours, if any.

    `certificate` may hold its key, too. Raises BadCertificate.
    """
    try:
        made = ssl.create_default_context(cafile=ca)
    except (ssl.SSLError, OSError) as error:
        raise BadCertificate(f"{ca} holds no certificate of a CA as PEM") from error
    if certificate:
        try:
            made.load_cert_chain(certificate, key, password=_no_password)
        except (ssl.SSLError, OSError, ValueError) as error:
            raise BadCertificate(
                f"{certificate} and {key or 'the key in it'} are no certificate and its key as PEM, without a password"
            ) from error
    return made


def why_refused(error: BaseException, *, ca: str, certificate: str) -> str | None:
    """For an operator, with the names of the variables to look at; None where it has nothing to do with TLS."""
    match error:
        case ssl.SSLCertVerificationError(verify_code=code) if code in ANOTHER_NAME:
            return "its certificate is for another name: connect by a name that it has, or have it made for this one"
        case ssl.SSLCertVerificationError(verify_code=code) if code == EXPIRED:
            return "its certificate has expired: renew it there"
        case ssl.SSLCertVerificationError():
            return f"its certificate is by a CA that we do not know: {ca} is to hold that CA's certificate"
        case ssl.SSLError(reason=str(reason)) if "ALERT" in reason:
            return f"it asks for another certificate of ours, or for one at all: see {certificate}"
        case ssl.SSLError(reason=str(reason)) if reason in NO_PEM:
            return f"the files of {ca}, {certificate} and its key are not all PEM, or do not belong together"
        case ssl.SSLError():
            return "no TLS came about: does it speak TLS on this port?"
        case _:
            return None


def _no_password() -> str:
    return ""  # else OpenSSL would ask for one in the terminal
