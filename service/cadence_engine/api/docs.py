"""The OpenAPI document as a page: one file, nothing fetched from elsewhere, no script."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from cadence_engine.api.problems import KINDS
from cadence_engine.api.samples import sample

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: .875em ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid var(--line); border-radius: .4rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
nav li { list-style: none; }
.method { font-weight: 700; display: inline-block; min-width: 4.2em; }
"""
SAMPLES = """
<p>The samples are for a shell in which <code>CADENCE_API</code> is the address of this page without <code>/docs</code>,
and <code>CADENCE_KEY</code> a credential. What else a call needs, as <code>CONTACT_ID</code> for
<code>{contactId}</code>, the shell asks for where it is not set. Bodies are the least that is taken.</p>
"""
SCHEMAS = "#/components/schemas/"


def page(document: Mapping[str, Any]) -> str:
    """HTML of the whole document."""
    info = document["info"]
    return "".join(
        (
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(info['title'])} API</title><style>{STYLE}</style>",
            f"<h1>{escape(info['title'])} API <small>{escape(info['version'])}</small></h1>",
            _prose(info["description"]),
            '<p>For programs: <a href="/openapi.json">openapi.json</a>.</p>',
            SAMPLES,
            _contents(document),
            *_operations(document),
            *_problems(),
            *_schemas(document),
            "</html>",
        )
    )


def _prose(text: str) -> str:
    paragraphs = []
    for paragraph in text.split("\n\n"):
        coded = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(paragraph, quote=False))
        bold = re.sub(r"[*]{2}([^*]+)[*]{2}", r"<b>\1</b>", coded)
        paragraphs.append(f"<p>{bold}</p>" if bold else "")
    return "".join(paragraphs)


def _each(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _contents(document: Mapping[str, Any]) -> str:
    lines = (
        f'<li><a href="#{operation["operationId"]}"><code><span class="method">{method}</span>'
        f"{escape(path)}</code></a> "
        f"{escape(operation['summary'])}</li>"
        for method, path, operation in _each(document)
    )
    return f"<nav><ul>{''.join(lines)}</ul></nav>"


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    schemas = document["components"]["schemas"]
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2>{_prose(tag['description'])}"
        for method, path, operation in _each(document):
            if tag["name"] in operation["tags"]:
                yield _operation(method, path, operation, schemas)


def _operation(method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    return "".join(
        (
            f'<h3 id="{operation["operationId"]}"><code>{method} {escape(path)}</code></h3>',
            _prose(operation["summary"]),
            _prose(operation.get("description", "")),
            f"<pre>{escape(sample(method, path, operation, schemas))}</pre>",
            _parameters(operation.get("parameters", [])),
            _body(operation.get("requestBody")),
            _answers(operation["responses"]),
        )
    )


def _parameters(parameters: list[Mapping[str, Any]]) -> str:
    rows = (
        (
            f"<code>{escape(each['name'])}</code>{'' if each.get('required') else ' (optional)'}",
            escape(each["in"]),
            _kind(each["schema"]),
            _prose(each.get("description", "")),
        )
        for each in parameters
    )
    return _table(("parameter", "in", "is", ""), rows) if parameters else ""


def _body(body: Mapping[str, Any] | None) -> str:
    """What to send, in each form that is read."""
    if body is None:
        return ""
    optional = "" if body.get("required") else " (optional)"
    rows = (
        (
            f"<code>{escape(media_type)}</code>{optional}",
            _kind(content["schema"]),
            _prose(content["schema"].get("description", "")),
        )
        for media_type, content in body["content"].items()
    )
    return _table(("body", "is", ""), rows)


def _answers(responses: Mapping[str, Any]) -> str:
    rows = (
        (f"<code>{status}</code>", _prose(response["description"]), " ".join(_bodies(response)))
        for status, response in responses.items()
    )
    return _table(("answer", "means", "body"), rows)


def _bodies(response: Mapping[str, Any]) -> Iterator[str]:
    for content in response.get("content", {}).values():
        yield _kind(content["schema"])


def _problems() -> Iterator[str]:
    yield "<h2>Problem codes</h2>"
    rows = (
        (
            f'<code id="problem-{code}">{code}</code>',
            str(kind.status),
            escape(kind.title),
            _prose(kind.remedy),
        )
        for code, kind in KINDS.items()
    )
    yield _table(("code", "status", "is", "what to do"), rows)


def _schemas(document: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Bodies</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield f'<h3 id="schema-{name}">{name}</h3>{_prose(schema.get("description", ""))}'
        required = schema.get("required", [])
        rows = (
            (
                f"<code>{escape(field)}</code>{'' if field in required else ' (optional)'}",
                _kind(about),
                _prose(about.get("description", "")),
            )
            for field, about in schema.get("properties", {}).items()
        )
        yield _table(("field", "is", ""), rows) if "properties" in schema else f"<p>{_kind(schema)}</p>"


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, with links to what it refers to."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(SCHEMAS)
        return f'<a href="#schema-{name}">{name}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_kind(each) for each in schema[several])
    if "enum" in schema:
        return " or ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map of names to {_kind(schema['additionalProperties'])}"
    return escape(" ".join(str(schema[word]) for word in ("type", "format") if word in schema) or "anything")


def _table(columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{column}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
