"""The pages of handlers: what their schemas, forms and states show and do."""

from __future__ import annotations

import re

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from support.admin import Admin, path_of, sent
from support.jobs import insert
from support.queries import value

Connection = AsyncConnection[TupleRow]

HANDLER = {
    "task_type": "remind",
    "handler_name": "Remind",
    "handler_type": "http",
    "endpoint_url": "http://127.0.0.1:1/",
}
SCHEMA = {
    "type": "object",
    "properties": {"to": {"type": "string"}, "invoice": {"type": "integer"}, "tone": {"enum": ["kind", "stern"]}},
    "required": ["to"],
}


async def test_a_schema_is_registered_and_makes_a_form_whose_job_has_what_was_typed(
    admin: Admin, conn: Connection
) -> None:
    registered = await admin.post("/admin/handler/register", {**HANDLER, "args_schema": SCHEMA})
    again = await admin.post("/admin/handler/register", HANDLER)
    shown = await admin.page("/admin/page/enqueue?kind=remind")
    raw = await admin.page("/admin/page/enqueue?kind=remind&raw=1")
    fields = {"arg.to": "<anna>", "arg.invoice": "12345678901234567890123", "arg.tone": '"stern"'}
    path = path_of(await sent(admin, "enqueue", task_type="remind", queue="default", by_schema="1", **fields))

    assert (registered.status, again.status) == (201, 200)
    assert registered.json["args_schema"] == again.json["args_schema"] == SCHEMA
    assert 'name="arg.invoice" type="number" step="1"' in shown.text
    assert 'name="task_params"' not in shown.text
    assert 'name="task_params"' in raw.text
    args = await value(conn, "SELECT args::text FROM river_job")
    assert args == '{"to": "<anna>", "tone": "stern", "invoice": 12345678901234567890123}'
    assert (
        'value="12345678901234567890123"'
        in (await admin.page(f"/admin/page/enqueue?like={path[11:].partition('?')[0]}")).text
    )


async def test_a_field_that_cannot_be_is_named_and_nothing_is_enqueued(admin: Admin, conn: Connection) -> None:
    await admin.post("/admin/handler/register", {**HANDLER, "args_schema": SCHEMA})

    refused = await sent(
        admin, "enqueue", task_type="remind", queue="default", by_schema="1", **{"arg.to": "a", "arg.invoice": "many"}
    )

    assert refused.status == 422
    assert "task_params.invoice" in refused.text
    assert await value(conn, "SELECT count(*) FROM river_job") == 0


async def test_a_schema_that_is_none_is_refused_and_null_removes_one(admin: Admin) -> None:
    refused = await admin.post("/admin/handler/register", {**HANDLER, "args_schema": {"type": "array"}})
    await admin.post("/admin/handler/register", {**HANDLER, "args_schema": SCHEMA})
    removed = await admin.request("PUT", "/admin/handler/update", json={"task_type": "remind", "args_schema": None})

    assert (refused.status, refused.pointers) == (422, ["/args_schema/type"])
    assert removed.json["args_schema"] is None


async def test_a_handler_is_registered_changed_tried_and_given_a_new_secret_by_forms(
    admin: Admin, conn: Connection
) -> None:
    made = await sent(admin, "handler", **HANDLER, settings='{"concurrency": 3}', args_schema="")
    first = await value(conn, "SELECT signing_secret FROM riverrun_handler")
    revision = await value(conn, "SELECT revision FROM riverrun_handler")
    changed = path_of(
        await sent(admin, "handler", **HANDLER, revision=revision, settings="", args_schema='{"title": "x"}')
    )
    rotated = await sent(admin, "handler/rotate", task_type="remind")
    second = await value(conn, "SELECT signing_secret FROM riverrun_handler")
    tried = path_of(await sent(admin, "handler/test", task_type="remind", queue="default", task_params='{"n": 1}'))
    paused = path_of(await sent(admin, "handler/pause", task_type="remind", back="page/handler?task_type=remind"))
    refused = await sent(admin, "handler/test", task_type="remind", queue="default", task_params="{}")

    assert first in made.text
    assert (rotated.headers["Cache-Control"], second in rotated.text, first == second) == ("no-store", True, False)
    assert changed == "page/handler?task_type=remind&notice=handler_saved"
    assert await value(conn, "SELECT settings::text || args_schema::text FROM riverrun_handler") == '{}{"title": "x"}'
    assert re.fullmatch(r"queue/jobs/\d+\?notice=handler_tried", tried)
    assert await value(conn, "SELECT max_attempts FROM river_job") == 1
    assert paused == "page/handler?task_type=remind&notice=handler_paused"
    assert refused.status == 409
    secrets = await value(conn, "SELECT string_agg(entry, '') FROM riverrun_audit")
    assert first not in secrets
    assert second not in secrets


async def test_how_a_service_is_and_kinds_without_a_handler_are_shown(admin: Admin, conn: Connection) -> None:
    await admin.post("/admin/handler/register", HANDLER)
    await conn.execute(
        "INSERT INTO riverrun_handler_health (kind, breaker, reason, probe_at, failed_probes)"
        " VALUES ('remind', 'open', 'HTTP 503 <busy>', now() + interval '30 seconds', 2)"
    )
    await insert(conn, kind="orphan", queue="mail")

    listed = await admin.page("/admin/handler/list")
    shown = await admin.page("/admin/page/handler?task_type=remind&lang=zh-CN")

    assert "left alone" in listed.text
    assert "HTTP 503 &lt;busy&gt;" in listed.text
    assert "Jobs of kind orphan wait in mail" in listed.text
    assert 'href="../page/handler?new=orphan"' in listed.text
    assert "不认领其任务" in shown.text
