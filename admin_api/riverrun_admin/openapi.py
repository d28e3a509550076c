"""Describe the API in OpenAPI 3.1, from the routes that are served and the models that validate what they are sent."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from aiohttp import web
from pydantic.json_schema import models_json_schema

from riverrun import __version__
from riverrun.access import Role
from riverrun.job import JobState
from riverrun_admin import models
from riverrun_admin.models import Body
from riverrun_admin.roles import MINDS_QUEUES, ROLES
from riverrun_admin.stream import NDJSON

Schema = dict[str, Any]

BODIES: Mapping[tuple[str, str], type[Body]] = {
    ("POST", "/admin/queue/enqueue"): models.EnqueueBody,
    ("POST", "/admin/queue/enqueue_many"): models.EnqueueManyBody,
    ("POST", "/admin/queue/cancel"): models.JobIdsBody,
    ("POST", "/admin/queue/retry"): models.JobIdsBody,
    ("POST", "/admin/queue/delete"): models.JobIdsBody,
    ("POST", "/admin/queue/run"): models.JobIdsBody,
    ("POST", "/admin/queue/snooze"): models.SnoozeBody,
    ("POST", "/admin/queue/reprioritize"): models.ReprioritizeBody,
    ("POST", "/admin/queue/move"): models.MoveBody,
    ("POST", "/admin/queue/update"): models.JobChangeBody,
    ("POST", "/admin/queue/bulk"): models.BulkBody,
    ("POST", "/admin/queue/bulk/abort"): models.BulkIdBody,
    ("POST", "/admin/queue/clear"): models.OneQueueBody,
    ("POST", "/admin/queue/drain"): models.OneQueueBody,
    ("POST", "/admin/queue/pause"): models.PauseBody,
    ("POST", "/admin/queue/resume"): models.QueueBody,
    ("POST", "/admin/queue/scale"): models.ScaleBody,
    ("POST", "/admin/handler/register"): models.HandlerBody,
    ("PUT", "/admin/handler/update"): models.HandlerChangeBody,
    ("POST", "/admin/handler/pause"): models.HandlerNameBody,
    ("POST", "/admin/handler/resume"): models.HandlerNameBody,
    ("POST", "/admin/handler/rotate_secret"): models.SecretBody,
    ("POST", "/admin/handler/test"): models.TrialBody,
    ("POST", "/admin/schedule/create"): models.ScheduleBody,
    ("PUT", "/admin/schedule/update"): models.ScheduleBody,
    ("POST", "/admin/schedule/pause"): models.ScheduleNameBody,
    ("POST", "/admin/schedule/resume"): models.ScheduleNameBody,
    ("POST", "/admin/schedule/run"): models.ScheduleNameBody,
    ("POST", "/admin/queue/callback/{job_id}"): models.CallbackBody,
    ("POST", "/admin/token/create"): models.TokenBody,
    ("POST", "/admin/token/revoke"): models.TokenIdBody,
}
"""What validates the body of each route that has one."""

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
_TIME: Schema = {"type": "string", "format": "date-time"}
_FLAG: Schema = {"type": "string", "enum": ["true", "false"]}
_PAGE: Mapping[str, Schema] = {"limit": {"type": "integer", "minimum": 1, "maximum": 200}, "cursor": _WORD}
QUERIES: Mapping[str, Mapping[str, Schema]] = {
    "/admin/queue/jobs": {
        "filter": {"type": "string", "maxLength": 2000},
        "state": {"type": "array", "items": {"type": "string", "enum": [str(state) for state in JobState]}},
        "queue": {"type": "array", "items": _WORD},
        "kind": {"type": "array", "items": _WORD},
        "tag": {"type": "array", "items": _WORD},
        "priority": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 9}},
        "id": {"type": "array", "items": _WHOLE},
        "created_after": _TIME,
        "created_before": _TIME,
        **_PAGE,
    },
    "/admin/queue/events": {"topics": _WORD},
    "/admin/queue/bulk": _PAGE,
    "/admin/handler/list": {"task_type": {"type": "array", "items": _WORD}},
    "/admin/handler/register": {"upsert": _FLAG},
    "/admin/handler/delete": {"task_type": _WORD, "force": _FLAG},
    "/admin/schedule/history": {"name": _WORD, "limit": _PAGE["limit"]},
    "/admin/schedule/delete": {"name": _WORD},
    "/admin/token/list": {"sessions": _FLAG},
    "/admin/audit/list": {"actor": _WORD, "action": _WORD, "target": _WORD, **_PAGE},
}
"""What the query of each path may say, besides ``lenient``."""

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
            "schemas": {**_body_schemas(), "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def is_for_browsers(path: str) -> bool:
    """Whether programs have no use for ``path``."""
    return path == "/" or path.startswith(FOR_BROWSERS)


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
    if method == "POST":
        key = {"type": "string", "minLength": 1, "maxLength": 255}
        query.append({"name": "Idempotency-Key", "in": "header", "schema": key})
    return within + query


_CODES = {
    ("POST", "/admin/queue/enqueue"): ("200", "201"),
    ("POST", "/admin/queue/enqueue_many"): ("201",),
    ("POST", "/admin/queue/cancel"): ("200", "202"),
    ("POST", "/admin/queue/bulk"): ("200", "202"),
    ("POST", "/admin/queue/clear"): ("202",),
    ("POST", "/admin/handler/register"): ("200", "201"),
    ("DELETE", "/admin/handler/delete"): ("204",),
    ("POST", "/admin/schedule/create"): ("201",),
    ("POST", "/admin/schedule/run"): ("201",),
    ("DELETE", "/admin/schedule/delete"): ("204",),
    ("POST", "/admin/token/create"): ("201",),
}
_MEDIA = {"/metrics": "text/plain", "/admin/queue/events": "text/event-stream", "/admin/audit/export": NDJSON}


def _responses(method: str, path: str) -> Schema:
    media = _MEDIA.get(path, "application/json")
    schema = {"type": "object"} if media == "application/json" else _WORD
    problem = {"schema": {"$ref": _TEMPLATE.format(model="Problem")}}
    found: Schema = {}
    for code in _CODES.get((method, path), ("200",)):
        found[code] = {"description": "done"}
        if code != "204":
            found[code]["content"] = {media: {"schema": schema}}
    return {**found, "default": {"description": "refused", "content": {"application/problem+json": problem}}}


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
