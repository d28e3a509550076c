"""What the server answers is what its description says, for every operation, field by field."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun_admin.operations import ANSWERS
from support.admin import Admin, Answer
from support.jobs import ago, insert

CALLBACK = ("POST", "/admin/queue/callback/{job_id}")
"""Needs an attempt that runs; the tests of callbacks look at its answer."""

HTTP = {"task_type": "web", "handler_name": "web", "handler_type": "http", "endpoint_url": "https://example.com/x"}
LOCAL = {"task_type": "email", "handler_name": "email", "handler_type": "local"}
SCHEDULE = {"name": "nightly", "task_type": "email", "every_s": 3600, "unique": {"by_args": True}}
ERROR = '{"{\\"at\\": \\"2026-01-01T00:00:00Z\\", \\"attempt\\": 1, \\"error\\": \\"broke\\", \\"trace\\": \\"\\"}"}'


class Described:
    """Sends requests, and holds each answer against the description."""

    def __init__(self, admin: Admin, document: dict[str, Any]) -> None:
        self._admin = admin
        self._paths = document["paths"]
        self._components = _closed(document["components"])
        self.seen: set[tuple[str, str, str]] = set()

    async def ask(self, method: str, path: str, body: object = None, *, status: int = 200) -> Answer:
        answer = await self._admin.request(method, path, json=body)
        assert answer.status == status, answer.text
        template = self._template(path.partition("?")[0])
        self.check(self._paths[template][method.lower()]["responses"][str(status)], answer.json)
        self.seen.add((method, template, str(status)))
        return answer

    def check(self, response: dict[str, Any], document: object) -> None:
        content = response.get("content")
        if content is None:
            assert document is None
            return
        schema = {**content["application/json"]["schema"], "components": self._components}
        assert [error.message for error in Draft202012Validator(schema).iter_errors(document)] == []

    def _template(self, path: str) -> str:
        patterns = {each: re.sub(r"{\w+}", r"\\d+", each) for each in self._paths}
        found: str = next(each for each, pattern in patterns.items() if re.fullmatch(pattern, path))
        return found


def _closed(components: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas so that a member which they do not name is an error; an entry of the record may have more."""
    copy: dict[str, Any] = json.loads(json.dumps(components))
    for name, schema in copy["schemas"].items():
        if "properties" in schema and name != "Entry":
            schema["additionalProperties"] = False
    return copy


@pytest.fixture
async def described(admin: Admin) -> Described:
    return Described(admin, (await admin.get("/admin/openapi.json")).json)


async def test_every_answer_is_as_it_is_described(described: Described, conn: AsyncConnection[TupleRow]) -> None:
    failed: dict[str, Any] = {"state": "discarded", "finalized_at": ago("1 hour"), "max_attempts": 1, "errors": ERROR}
    await insert(conn, **failed)
    ask = described.ask

    await _handlers(described)
    await _jobs(described)
    await _schedules(described)
    for path in ("/healthz", "/readyz", "/admin/server/list", "/admin/error/list", "/admin/openapi.json"):
        await ask("GET", path)
    made = await ask("POST", "/admin/token/create", {"name": "ci"}, status=201)
    await ask("GET", "/admin/token/list")
    await ask("POST", "/admin/token/revoke", {"token_id": made.json["token_id"]})
    for path in ("/admin/audit/list", "/admin/audit/verify"):
        await ask("GET", path)

    promised = {(*route, code) for route, by_code in ANSWERS.items() if route != CALLBACK for code in by_code}
    assert promised - described.seen == {("POST", "/admin/queue/cancel", "202"), ("POST", "/admin/handler/test", "200")}


async def _handlers(described: Described) -> None:
    ask = described.ask
    await ask("POST", "/admin/handler/register", HTTP, status=201)
    await ask("POST", "/admin/handler/register", HTTP)
    await ask("POST", "/admin/handler/register", LOCAL, status=201)
    await ask("PUT", "/admin/handler/update", {"task_type": "web", "description": "mails"})
    for action in ("rotate_secret", "pause", "resume"):
        await ask("POST", f"/admin/handler/{action}", {"task_type": "web"})
    await ask("POST", "/admin/handler/test", {"task_type": "email", "wait_s": 0}, status=202)
    await ask("GET", "/admin/handler/list")
    await ask("DELETE", "/admin/handler/delete?task_type=web", status=204)


async def _jobs(described: Described) -> None:
    ask = described.ask
    new = {"task_type": "email", "queue": "mail", "delay_s": 60, "unique": {"by_args": True}}
    job_id = (await ask("POST", "/admin/queue/enqueue", new, status=201)).json["job_id"]
    await ask("POST", "/admin/queue/enqueue", new)
    await ask("POST", "/admin/queue/enqueue_many", {"jobs": [{"task_type": "email", "queue": "mail"}]}, status=201)
    await ask("POST", "/admin/queue/update", {"job_id": job_id, "tags": ["urgent"]})
    more: dict[str, dict[str, object]] = {
        "snooze": {"delay_s": 1},
        "reprioritize": {"priority": 2},
        "move": {"queue": "mail"},
    }
    for action in ("snooze", "reprioritize", "move", "run", "cancel", "retry", "delete"):
        await ask("POST", f"/admin/queue/{action}", {"job_ids": [job_id, 999_999], **more.get(action, {})})
    await ask("GET", "/admin/queue/jobs")
    await ask("GET", "/admin/queue/jobs/1")
    for path in ("/admin/queue/stats", "/admin/queue/dashboard", "/admin/queue/list", "/admin/queue/terms"):
        await ask("GET", path)
    for action in ("pause", "resume", "drain"):
        await ask("POST", f"/admin/queue/{action}", {"queue": "mail"})
    described_queue = {"queue": "mail", "metadata": {"team": "post"}}
    await ask("PUT", "/admin/queue/metadata", described_queue)
    await ask("GET", "/admin/queue/metadata?queue=mail")
    await ask("POST", "/admin/queue/scale", {"queue": "mail", "max_workers": 3})
    bulk = {"action": "cancel", "filter": "queue:mail"}
    await ask("POST", "/admin/queue/bulk", {**bulk, "dry_run": True})
    bulk_id = (await ask("POST", "/admin/queue/bulk", bulk, status=202)).json["bulk_id"]
    await ask("POST", "/admin/queue/clear", {"queue": "mail"}, status=202)
    await ask("GET", "/admin/queue/bulk")
    await ask("GET", f"/admin/queue/bulk/{bulk_id}")
    await ask("POST", "/admin/queue/bulk/abort", {"bulk_id": bulk_id})


async def _schedules(described: Described) -> None:
    ask = described.ask
    await ask("POST", "/admin/schedule/create", SCHEDULE, status=201)
    await ask("PUT", "/admin/schedule/update", {**SCHEDULE, "every_s": 60})
    for action in ("pause", "resume"):
        await ask("POST", f"/admin/schedule/{action}", {"name": "nightly"})
    await ask("POST", "/admin/schedule/run", {"name": "nightly"}, status=201)
    await ask("GET", "/admin/schedule/list")
    await ask("GET", "/admin/schedule/history?name=nightly")
    await ask("DELETE", "/admin/schedule/delete?name=nightly", status=204)


async def test_every_error_is_as_it_is_described(described: Described, admin: Admin) -> None:
    requests: list[tuple[str, str, object]] = [
        ("POST", "/admin/queue/enqueue", {"task_type": "", "priorty": 1}),
        ("GET", "/admin/queue/jobs/1", None),
        ("GET", "/admin/queue/jobs?cursor=x", None),
    ]
    for method, path, body in requests:
        answer = await admin.request(method, path, json=body)
        schema = {"schema": {"$ref": "#/components/schemas/Problem"}}

        assert answer.headers["Content-Type"].startswith("application/problem+json")
        described.check({"content": {"application/json": schema}}, answer.json)
