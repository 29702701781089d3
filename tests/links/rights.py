"""The rights that deploy/README.md asks for, given as it asks for them: what is written there is what is tested."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from cadence_contracts import topics
from tests.deploy.composition import ROOT

GUIDE: Final = ROOT / "deploy" / "README.md"
# As Kafka's protocol numbers them.
RESOURCES: Final = {"topic": 2, "group": 3, "transactional id": 5}
OPERATIONS: Final = {
    "Read": 3,
    "Write": 4,
    "Create": 5,
    "Describe": 8,
    "DescribeConfigs": 10,
}
LITERAL, PREFIXED, ALLOW = 3, 4, 3
INBOUND: Final = "the inbound topics"


class Right(NamedTuple):
    """One row of the table: a process may do these operations on these resources."""

    process: str
    resource: str
    names: tuple[str, ...]
    operations: tuple[str, ...]


def rights() -> list[Right]:
    """Those of Kafka, in the order of the guide."""
    _, _, section = GUIDE.read_text().partition("### Links")
    _, _, table = section.partition("| process | on | of the name | operations |\n")
    rows = (line.strip("|").split("|") for line in table.split("\n\n")[0].splitlines()[1:])
    return [_right(*(cell.strip().replace("`", "") for cell in cells)) for cells in rows]


def _right(process: str, resource: str, name: str, operations: str) -> Right:
    names = topics.INBOUND if name == INBOUND else tuple(name.split(", "))
    return Right(process, resource, names, tuple(operations.split(", ")))


class _Creations(CreateAclsRequest):  # type: ignore[misc]  # aiokafka ships no types
    """Many at once: one after the other takes Kafka seconds."""

    def __init__(self, acls: Sequence[tuple[object, ...]]) -> None:
        self._acls = acls

    def build(self, request_struct_class: Any) -> Any:
        return request_struct_class(list(self._acls))


async def give(admin: AIOKafkaAdminClient, prefix: str, wanted: Iterable[tuple[str, Right]]) -> None:
    """Give each user a right, on names with the prefix."""
    acls = [
        (*_resource(right.resource, name, prefix), f"User:{user}", "*", OPERATIONS[operation], ALLOW)
        for user, right in wanted
        for name in right.names
        for operation in right.operations
    ]
    answered = await admin._send_request(_Creations(acls))  # the client has no public call for it
    assert {code for code, _ in answered.creation_responses} == {0}, answered


def _resource(kind: str, name: str, prefix: str) -> tuple[int, str, int]:
    return RESOURCES[kind], prefix + name.rstrip("*"), PREFIXED if name.endswith("*") else LITERAL
