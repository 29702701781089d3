"""Certificates made for one run: an authority, what it vouches for, and one that nobody trusts."""

from pathlib import Path
from typing import Final, NamedTuple

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

NAME: Final = "localhost"
"""What the servers' certificate is made for. 127.0.0.1 is not: who connects by that meets another name."""


class Pair(NamedTuple):
    """Two files of PEM."""

    certificate: Path
    key: Path


class Authority:
    """A CA whose files lie in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self._directory = directory
        self.ca = trustme.CA()
        self.certificate = directory / "ca.crt"
        self.ca.cert_pem.write_to_path(self.certificate)
        self.server = self._write("server", self.ca.issue_cert(NAME))
        self.keystore = directory / "server.pem"
        """The server's key and certificate in one file, as Java wants them."""
        self.keystore.write_bytes(self.server.key.read_bytes() + self.server.certificate.read_bytes())

    def client(self, user: str) -> Pair:
        """Whose common name is the user; with another name beside it, as Java reads no certificate without any."""
        return self._write(user, self.ca.issue_cert(f"{user}.clients", common_name=user))

    def _write(self, name: str, leaf: trustme.LeafCert) -> Pair:
        pair = Pair(self._directory / f"{name}.crt", self._directory / f"{name}.key")
        pair.certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        # Java reads keys as PKCS#8 alone.
        key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return pair
