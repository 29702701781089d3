"""YAML 1.2 into plain values, with the place of every key and value."""

import re
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLError, YAMLStreamError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from cadence_engine.definitions.problems import Mark, Path, Problem

MAX_CHARACTERS = 256 * 1024
MAX_NODES = 20_000
MAX_DEPTH = 20

STANDARD = "tag:yaml.org,2002:"
PLAIN_TAGS = frozenset(STANDARD + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))
MERGE = STANDARD + "merge"
TIMESTAMP = STANDARD + "timestamp"
INT64 = range(-(2**63), 2**63)
MOST_EXACT = 2**53  # beyond it PostgreSQL hands a whole float back as an integer
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")


START = Mark(1, 1)


@dataclass(slots=True)
class Document:
    """One YAML document: its `content` in dicts, lists and scalars, and where each part of it stands."""

    file: str
    content: object = None
    values: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def of(self, path: Path) -> Mark:
        """Where the value at `path` stands; what is not there is said to be missing in what holds it."""
        found = self.values.get(path)
        if found or not path:
            return found or START
        return self.of(path[:-1])

    def of_key(self, path: Path) -> Mark:
        """Where the last key of `path` stands."""
        return self.keys.get(path) or self.of(path)

    def problem(self, path: Path, message: str, mark: Mark | None = None) -> None:
        self.problems.append(Problem(self.file, mark or self.of(path), path, message))


def read(text: str, file: str) -> list[Document]:
    """The documents of a file, empty ones left out.

    What cannot be read is among the `problems` of the last one, which then has no content.
    """
    if len(text) > MAX_CHARACTERS:
        return [_unreadable(file, f"more than {MAX_CHARACTERS // 1024} KiB: split the file")]
    documents: list[Document] = []
    yaml = YAML(typ="safe", pure=True)
    try:
        for node in yaml.compose_all(text):
            if node.tag != STANDARD + "null":
                documents.append(_Walk(yaml, file).document(node))  # noqa: PERF401  # those before an error are kept
    except RecursionError:
        documents.append(_unreadable(file, f"nested more than {MAX_DEPTH} deep"))
    except (YAMLError, YAMLStreamError) as error:
        documents.append(_unreadable(file, *_said(error, text)))
    return documents


def _unreadable(file: str, message: str, mark: Mark | None = None) -> Document:
    document = Document(file)
    document.problem((), message, mark or START)
    return document


def _said(error: YAMLError | YAMLStreamError, text: str) -> tuple[str, Mark]:
    if isinstance(error, ReaderError):
        before = text[: error.position]
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        return "not YAML: a control character, which no text may hold", Mark(line, column)
    if isinstance(error, MarkedYAMLError):
        said = ", ".join(part for part in (error.context, error.problem) if part)
        return f"not YAML: {said}", _mark(error.problem_mark or error.context_mark)
    return f"not YAML: {error}", START


def _mark(mark: StringMark | None) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark else START


class _Walk:
    """Makes plain values of one document's nodes. An alias is walked again wherever it stands, so nodes are counted."""

    def __init__(self, yaml: YAML, file: str) -> None:
        self._yaml = yaml
        self._into = Document(file)
        self._nodes = 0

    def document(self, node: Node) -> Document:
        self._into.content = self._value(node, ())
        return self._into

    def _value(self, node: Node, path: Path) -> object:
        self._into.values[path] = _mark(node.start_mark)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            if self._nodes == MAX_NODES + 1:
                self._into.problem(path, f"more than {MAX_NODES} values, aliases counted wherever they stand")
            return None
        if len(path) > MAX_DEPTH:
            self._into.problem(path, f"nested more than {MAX_DEPTH} deep")
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, str(node.tag), path)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, object]:
        content: dict[str, object] = {}
        for key_node, value_node in node.value:
            if key_node.tag == MERGE:
                continue
            mark, key = _mark(key_node.start_mark), key_node.value
            if key_node.tag != STANDARD + "str":
                self._into.problem(path, "a key must be text: put it in quotes", mark)
            elif UNPRINTABLE.search(key):
                self._into.problem(path, "a key with a control character or half a character", mark)
            elif key in content:
                first = self._into.keys[(*path, key)].line
                self._into.problem((*path, key), f"the key is there twice, first on line {first}: remove one", mark)
            else:
                self._add(content, key_node, value_node, path)
        self._merge(content, node, path)
        return content

    def _add(self, content: dict[str, object], key_node: ScalarNode, value_node: Node, path: Path) -> None:
        place = (*path, str(key_node.value))
        self._into.keys[place] = _mark(key_node.start_mark)
        content[key_node.value] = self._value(value_node, place)

    def _merge(self, content: dict[str, object], node: MappingNode, path: Path) -> None:
        for value_node in [value for key, value in node.value if key.tag == MERGE]:
            for merged in value_node.value if isinstance(value_node, SequenceNode) else [value_node]:
                if not isinstance(merged, MappingNode):
                    self._into.problem(path, "`<<` merges mappings: give it an alias of one", _mark(merged.start_mark))
                    continue
                for key_node, inherited in merged.value:
                    if key_node.tag == STANDARD + "str" and key_node.value not in content:
                        self._add(content, key_node, inherited, path)
                self._merge(content, merged, path)

    def _scalar(self, node: Node, tag: str, path: Path) -> object:
        if tag == TIMESTAMP:
            self._into.problem(path, f"`{node.value}` reads as a date: put it in quotes")
            return str(node.value)
        kind = tag.removeprefix(STANDARD)
        if tag not in PLAIN_TAGS:
            self._into.problem(path, f"the tag {kind} is not read here: remove it")
            return str(node.value)
        try:
            value = self._yaml.constructor.construct_object(node)
        except (YAMLError, ValueError) as error:
            self._into.problem(path, f"`{node.value[:60]}` does not read as {kind}: {error}")
            return None
        wrong = _unstorable(value)
        if wrong is not None:
            self._into.problem(path, wrong)
            return UNPRINTABLE.sub("\ufffd", value) if isinstance(value, str) else value  # other rules may quote it
        return value + 0.0 if isinstance(value, float) else value  # -0.0, which jsonb does not know, becomes 0.0


def _unstorable(value: object) -> str | None:
    if isinstance(value, str) and UNPRINTABLE.search(value):
        return "text with a control character or half a character, which no text may hold"
    if isinstance(value, float) and not abs(value) < MOST_EXACT:
        return "a number with a fraction must have at most 15 digits before it: put it in quotes if it is a code"
    if isinstance(value, int) and value not in INT64:
        return "a whole number must fit in 64 bits: put it in quotes if it is a code"
    return None
