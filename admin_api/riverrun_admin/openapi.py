"""Describe the API in OpenAPI 3.1, from the routes that are served and the tables of what they take and answer."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from functools import cache

from aiohttp import web
from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from riverrun import __version__
from riverrun.access import Role
from riverrun_admin import models
from riverrun_admin.operations import ANSWERS, BODIES, HEADERS, LENIENT, MEDIA, NEEDED, QUERIES, Schema
from riverrun_admin.roles import MINDS_QUEUES, ROLES
from riverrun_admin.stream import NDJSON
from riverrun_admin.transaction import LONGEST_KEY, keeps_answers

WAYS_IN = ("/", "/admin", "/admin/")
FOR_BROWSERS = (
    "/admin/form/",
    "/admin/page/",
    "/admin/static/",
    "/admin/problems/",
    "/robots.txt",
    "/admin/login",
    "/admin/logout",
)
"""Beginnings of the paths that only browsers need."""

_WORD: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 1}
_PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": _WORD,
        "status": {"type": "integer"},
        "detail": _WORD,
        "instance": {"type": "string", "description": "id of the request, also in X-Request-Id"},
        "code": {"type": "string", "description": "stable, for programs"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {"pointer": _WORD, "code": _WORD, "detail": _WORD},
            },
        },
    },
}
_TEMPLATE = "#/components/schemas/{model}"


def document(routes: Iterable[web.AbstractRoute]) -> Schema:
    """Return the description of the API that ``routes`` serve."""
    paths: dict[str, Schema] = {}
    for route in routes:
        path = route.resource.canonical if route.resource is not None else ""
        if (route.method, path) in ROLES and not is_for_browsers(path):
            paths.setdefault(path, {})[route.method.lower()] = _operation(route.method, path, route.handler)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Riverrun", "version": __version__, "license": {"name": "MIT", "identifier": "MIT"}},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**_body_schemas(), **_answer_schemas()[1], "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def is_for_browsers(path: str) -> bool:
    """Whether programs have no use for ``path``."""
    return path in WAYS_IN or path.startswith(FOR_BROWSERS)


def _operation(method: str, path: str, handler: object) -> Schema:
    role = ROLES[method, path]
    summary = (inspect.getdoc(handler) or "").partition("\n")[0]
    described = [f"Needs the role {role}." if role is not Role.PUBLIC else "Open to everybody."]
    if (method, path) in MINDS_QUEUES:
        described.append("A token for some queues keeps to them.")
    operation: Schema = {
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "summary": summary,
        "description": " ".join(described),
        "tags": [path.split("/")[2] if path.startswith("/admin/") else "health"],
        "parameters": _parameters(method, path),
        "responses": _responses(method, path),
    }
    model = BODIES.get((method, path))
    if model is not None:
        content: Schema = {"application/json": {"schema": {"$ref": _TEMPLATE.format(model=model.__name__)}}}
        if model is models.EnqueueManyBody:
            content[NDJSON] = {"schema": {"type": "string", "description": "one EnqueueBody a line"}}
        operation["requestBody"] = {"required": True, "content": content}
    if role is Role.PUBLIC:
        operation["security"] = []
    return operation


def _parameters(method: str, path: str) -> list[Schema]:
    within: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": _WHOLE if name.endswith("_id") else _WORD}
        for name in re.findall(r"{(\w+)}", path)
    ]
    asked = QUERIES.get(path, {}) if method in ("GET", "DELETE") or path == "/admin/handler/register" else {}
    query: list[Schema] = [{"name": name, "in": "query", "schema": schema} for name, schema in asked.items()]
    if asked or (method, path) in BODIES:
        query.append({"name": "lenient", "in": "query", "schema": LENIENT})
    return within + query + _header_fields(method, path)


def _header_fields(method: str, path: str) -> list[Schema]:
    minded = dict(HEADERS.get((method, path), {}))
    if method == "POST" and keeps_answers(path):
        minded["Idempotency-Key"] = {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY}
    return [
        {"name": name, "in": "header", "schema": schema, **({"required": True} if name in NEEDED else {})}
        for name, schema in minded.items()
    ]


def _responses(method: str, path: str) -> Schema:
    problem = {"schema": {"$ref": _TEMPLATE.format(model="Problem")}}
    found: Schema = {}
    if (media := MEDIA.get((method, path))) is not None:
        found["200"] = {"description": "done", "content": {media: {"schema": _WORD}}}
    for code, answer in ANSWERS.get((method, path), {}).items():
        found[code] = {"description": "done"}
        if answer is not None:
            found[code]["content"] = {"application/json": {"schema": _answer_schemas()[0][method, path, code]}}
    return {**found, "default": {"description": "refused", "content": {"application/problem+json": problem}}}


@cache
def _answer_schemas() -> tuple[Mapping[tuple[str, str, str], Schema], Schema]:
    """Return the schema of each answer, by method, path and status, and the components that these refer to."""
    adapters: list[tuple[tuple[str, str, str], TypeAdapter[object]]] = [
        ((*route, code), TypeAdapter(answer))
        for route, by_code in ANSWERS.items()
        for code, answer in by_code.items()
        if answer is not None
    ]
    found, described = TypeAdapter.json_schemas(
        [(place, "serialization", adapter) for place, adapter in adapters], ref_template=_TEMPLATE
    )
    return {place: schema for (place, _), schema in found.items()}, described["$defs"]


@cache
def _body_schemas() -> Schema:
    chosen = dict.fromkeys(BODIES.values())
    _, described = models_json_schema([(model, "validation") for model in chosen], ref_template=_TEMPLATE)
    schemas: Schema = described["$defs"]
    for schema in schemas.values():
        if "task_params" in schema["properties"]:
            # An object is taken as well: it becomes its own text before the model sees it.
            text = {"type": "string", "contentMediaType": "application/json"}
            schema["properties"]["task_params"] = {"oneOf": [text, {"type": "object"}]}
    return schemas
