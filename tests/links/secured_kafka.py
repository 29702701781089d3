"""The embedded Kafka as a guarded one: TLS, users by SCRAM, PLAIN and certificate, and nothing allowed but by ACL."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cadence_engine.devstack.kafka import SETTINGS, Kafka
from cadence_engine.devstack.ports import HOST, free_port
from tests.links.certificates import NAME, Authority

SCRAM: Final = ("SCRAM-SHA-256", "SCRAM-SHA-512")


class SecuredKafka(Kafka):
    """Its plain listener is the administrator's, and the broker's own."""

    def __init__(
        self, directory: Path, class_path: Sequence[Path], authority: Authority, passwords: Mapping[str, str]
    ) -> None:
        super().__init__(directory, class_path)
        self._authority = authority
        self._passwords = passwords
        self.sasl_port = free_port()
        self.certificates_port = free_port()

    @property
    def sasl_servers(self) -> str:
        """TLS, and a user with a password."""
        return f"{NAME}:{self.sasl_port}"

    @property
    def certificate_servers(self) -> str:
        """TLS, and the user is the common name of the client's certificate."""
        return f"{NAME}:{self.certificates_port}"

    def properties(self) -> dict[str, str]:
        plain = super().properties()
        ports = {"SASL_SSL": self.sasl_port, "SSL": self.certificates_port}
        listening = ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())
        told = ",".join(f"{name}://{NAME}:{port}" for name, port in ports.items())
        users = " ".join(f'user_{user}="{password}"' for user, password in self._passwords.items())
        return {
            **plain,
            "listeners": f"{plain['listeners']},{listening}",
            "advertised.listeners": f"{plain['advertised.listeners']},{told}",
            "listener.security.protocol.map": f"{SETTINGS['listener.security.protocol.map']},SASL_SSL:SASL_SSL,SSL:SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": ",".join(("PLAIN", *SCRAM)),
            "listener.name.sasl_ssl.plain.sasl.jaas.config": (
                f"org.apache.kafka.common.security.plain.PlainLoginModule required {users} ;"
            ),
            **{
                f"listener.name.sasl_ssl.{mechanism.lower()}.sasl.jaas.config": (
                    "org.apache.kafka.common.security.scram.ScramLoginModule required ;"
                )
                for mechanism in SCRAM
            },
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._authority.keystore),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._authority.certificate),
            "listener.name.ssl.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=(.*?),.*$/$1/",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }

    def format_options(self) -> list[str]:
        return [
            option
            for user, password in self._passwords.items()
            for mechanism in SCRAM
            for option in ("--add-scram", f"{mechanism}=[name={user},password={password}]")
        ]
