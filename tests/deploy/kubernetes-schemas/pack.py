"""Make the packed schemas of this folder anew: `pack.py DIRECTORY CRD..`.

DIRECTORY holds Kubernetes' strict JSON schemas, each CRD is a CustomResourceDefinition in YAML; the README beside this
file says where both are from. Each kind becomes one file that refers to no other, named as kubeconform looks for it.
"""

import gzip
import json
import sys
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

HERE: Final = Path(__file__).parent
DEFINITION: Final = "#/$defs/"
KINDS: Final = (
    "configmap-v1",
    "deployment-apps-v1",
    "job-batch-v1",
    "networkpolicy-networking-v1",
    "poddisruptionbudget-policy-v1",
    "secret-v1",
    "service-v1",
)

Schema = dict[str, Any]


def of_a_kind(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """The kind's schema with all that it refers to, and no more."""
    top = _local({key: value for key, value in schema.items() if key != "$id"})
    needed: dict[str, Schema] = {}
    wanted = _references(top)
    while wanted:
        name = wanted.pop().removeprefix(DEFINITION)
        if name not in needed:
            needed[name] = _local(definitions[name])
            wanted += _references(needed[name])
    return {**top, "$defs": needed}


def _local(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: f"{DEFINITION}{value.rpartition('/')[2]}" if key == "$ref" else _local(value)
            for key, value in node.items()
            if not (key == "description" and isinstance(value, str))
        }
    return [_local(part) for part in node] if isinstance(node, list) else node


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    return [found for part in node for found in _references(part)] if isinstance(node, list) else []


def of_custom_resources(document: Schema) -> dict[str, Schema]:
    """The schema of each version that is served, by the name of its file."""
    group, kind = document["spec"]["group"].partition(".")[0], document["spec"]["names"]["kind"].lower()
    return {
        f"{kind}-{group}-{version['name']}": _strict(version["schema"]["openAPIV3Schema"], top=True)
        for version in document["spec"]["versions"]
        if version["served"]
    }


def _strict(node: Any, *, top: bool = False) -> Any:
    """Unknown fields are refused, which an API server would drop without a word."""
    if isinstance(node, list):
        return [_strict(part) for part in node]
    if not isinstance(node, dict):
        return node
    made = {key: _strict(value) for key, value in node.items() if not (key == "description" and isinstance(value, str))}
    if node.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    if isinstance(node.get("properties"), dict) and not node.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    if top:
        made["properties"] = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, **made["properties"]}
    return made


def main(kubernetes: Path, custom: list[Path]) -> None:
    definitions = json.loads((kubernetes / "_definitions.json").read_text())["$defs"]
    packed = {kind: of_a_kind(json.loads((kubernetes / f"{kind}.json").read_text()), definitions) for kind in KINDS}
    for path in custom:
        packed |= of_custom_resources(YAML(typ="safe").load(path))
    for name, schema in packed.items():
        text = json.dumps(schema, separators=(",", ":"), sort_keys=True).encode()
        (HERE / f"{name}.json.gz").write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
