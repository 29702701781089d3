"""The OpenAPI 3.1 document of the operations that are served."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, cast

from openapi_pydantic import (
    Components,
    Header,
    Info,
    MediaType,
    OpenAPI,
    Parameter,
    ParameterLocation,
    PathItem,
    Reference,
    RequestBody,
    Response,
    Schema,
    SecurityScheme,
    Tag,
)
from openapi_pydantic import Operation as Described
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from cadence_engine.api.operation import Operation, Operations, TextBody, field_names
from cadence_engine.api.problems import CONTENT_TYPE, KINDS, Code, ProblemDetails
from cadence_engine.domain.api_key import Scope
from cadence_engine.domain.cadence import Wait

REFERENCE = "#/components/schemas/{model}"
SECURITY = "bearer"
PLACES = {
    "path": ParameterLocation.PATH,
    "query": ParameterLocation.QUERY,
    "headers": ParameterLocation.HEADER,
}
ABOUT = """
Manages a company's cadences, enrollments and settings, and answers why a contact got a message, or none:
`GET /v1/contacts/{{contactId}}`.

**Which company** is said by the credential alone: an API key (`cadence-engine api-key create`) or a token of the
deployment's OIDC issuer, sent as `Authorization: Bearer ..`. What belongs to another company is not found (404).

**Scopes** of a credential, none of which contains another: {scopes}.

**Errors** are problem details (RFC 9457). Programs go by `code`; people read `detail` and `remedy`. What is no HTTP, or
has headers or an address of more than 8 kB, is answered 400 in plain text, an unknown `Expect` 417, before any route.

**Repeating** a call is harmless: enrolling whoever is in the cadence answers the enrollment that is there; publishing,
pausing, resuming, cancelling, replaying and setting again change nothing. Enroll many needs an `Idempotency-Key`, and
replaying dead letters takes one: sent again with it, a call is answered as it was. Definitions are changed under
`If-Match` with the `ETag` last seen.

**Times** are RFC 3339 in UTC, **durations** ISO 8601, **ids** opaque.
""".strip()

Models = Mapping[tuple[type[BaseModel], JsonSchemaMode], JsonSchemaValue]


class OurSchema(GenerateJsonSchema):
    """As pydantic's own, but for what is written otherwise than it is held."""

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        if schema["cls"] is Wait:
            return {"type": "string", "format": "duration", "description": "ISO 8601, such as P3D or PT90M"}
        return super().dataclass_schema(schema)

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002  # a title says no more than the name
        return False


def document(all_operations: Sequence[Operations]) -> dict[str, Any]:
    """As plain values, ready for JSON or YAML."""
    models, definitions = _schemas(operation for operations in all_operations for operation in operations)
    paths: dict[str, dict[str, Described]] = {}
    for operations in all_operations:
        for operation in operations:
            paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, models)
    described = OpenAPI(
        openapi="3.1.1",
        info=Info(
            title="Cadence Engine",
            version=version("cadence-engine"),
            description=ABOUT.format(scopes=", ".join(f"`{scope}` ({scope.meaning})" for scope in Scope)),
        ),
        tags=[Tag(name=operations.tag, description=operations.description) for operations in all_operations],
        paths={path: PathItem(**methods) for path, methods in paths.items()},
        components=Components(
            schemas={name: Schema.model_validate(schema) for name, schema in sorted(definitions.items())},
            securitySchemes={
                SECURITY: SecurityScheme(
                    type="http", scheme="bearer", description="An API key, or a token of the deployment's issuer."
                )
            },
        ),
    )
    plain: dict[str, Any] = described.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=True)
    return plain


def _schemas(operations: Iterable[Operation]) -> tuple[Models, dict[str, JsonSchemaValue]]:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(ProblemDetails, "serialization"): None}
    for operation in operations:
        wanted |= {(model, "serialization"): None for model in operation.answers.values() if model is not None}
        if "body" in operation.parts:
            wanted[operation.parts["body"], "validation"] = None
        if operation.text is not None:
            wanted[operation.text.model, "validation"] = None
    models, whole = models_json_schema(list(wanted), ref_template=REFERENCE, schema_generator=OurSchema)
    return cast("Models", models), whole["$defs"]


def _described(operation: Operation, models: Models) -> Described:
    return Described(
        operationId=operation.name,
        tags=[operation.tag],
        summary=operation.summary,
        description=_with_scope(operation),
        parameters=[each for part in PLACES for each in _parameters(part, operation.parts.get(part))] or None,
        requestBody=_body(operation, models),
        responses={**_answers(operation, models), **_problems(operation, models)},
        security=[] if operation.scope is None else [{SECURITY: []}],
    )


def _with_scope(operation: Operation) -> str:
    needed = "" if operation.scope is None else f"Needs the scope `{operation.scope}`."
    return "\n\n".join(part for part in (operation.description, needed) if part)


def _parameters(part: str, model: type[BaseModel] | None) -> list[Parameter | Reference]:
    if model is None:
        return []
    whole = model.model_json_schema(by_alias=True, schema_generator=OurSchema)
    schemas = _inlined(whole["properties"], whole.get("$defs", {}))
    return [
        Parameter(
            name=name,
            **{"in": PLACES[part]},  # a keyword of Python
            required=info.is_required(),
            description=info.description,
            param_schema=Schema.model_validate(_of_text(schemas[name])),
        )
        for name, info in field_names(model).items()
    ]


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Without references: the schemas of parameters are not among the document's components."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            own = {name: value for name, value in schema.items() if name != "$ref"}
            return {**_inlined(definitions[schema["$ref"].rpartition("/")[-1]], definitions), **own}
        return {name: _inlined(value, definitions) for name, value in schema.items()}
    return [_inlined(each, definitions) for each in schema] if isinstance(schema, list) else schema


def _of_text(schema: JsonSchemaValue) -> JsonSchemaValue:
    """A parameter that may be left out, but has no way to be null."""
    given = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(given) == 1:
        kept = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
        schema = {**given[0], **kept}
    return {name: value for name, value in schema.items() if name not in ("title", "description")}


def _body(operation: Operation, models: Models) -> RequestBody | None:
    if "body" in operation.parts:
        model = operation.parts["body"]
        needed = any(info.is_required() for info in model.model_fields.values())
        return RequestBody(content=_content(models[model, "validation"]), required=needed)
    if operation.text is not None:
        return RequestBody(content=_text_content(operation.text, models), required=True)
    if operation.upload:
        content = {name: MediaType(media_type_schema=_text_of(holds)) for name, holds in operation.upload.items()}
        return RequestBody(content=content, required=True)
    return None


def _text_content(text: TextBody, models: Models) -> dict[str, MediaType]:
    return _content(models[text.model, "validation"], *text.media_types)


def _text_of(holds: str) -> Schema:
    return Schema.model_validate({"type": "string", "description": holds})


def _content(schema: JsonSchemaValue, *media_types: str) -> dict[str, MediaType]:
    of = Schema.model_validate(schema) if "$ref" not in schema else Reference.model_validate(schema)
    return {media_type: MediaType(media_type_schema=of) for media_type in media_types or ("application/json",)}


def _answers(operation: Operation, models: Models) -> dict[str, Response]:
    headers: dict[str, Header | Reference] = {
        name: Header(description=says, param_schema=Schema.model_validate({"type": "string"}))
        for name, says in operation.answer_headers.items()
    }
    return {
        str(status): Response(
            description=(model.__doc__ or "").strip().partition("\n")[0] or operation.summary if model else "Done.",
            headers=headers or None,
            content=_content(models[model, "serialization"], *([operation.stream] if operation.stream else []))
            if model
            else None,
        )
        for status, model in operation.answers.items()
    }


def _problems(operation: Operation, models: Models) -> dict[str, Response]:
    by_status: dict[int, list[Code]] = {}
    for code in operation.problems:
        by_status.setdefault(KINDS[code].status, []).append(code)
    schema = models[ProblemDetails, "serialization"]
    return {
        str(status): Response(
            description="; ".join(f"`{code}`: {KINDS[code].title}" for code in codes),
            content=_content(schema, CONTENT_TYPE),
        )
        for status, codes in sorted(by_status.items())
        if status not in operation.answers
    }
