"""What is done with a handler over HTTP beside changing it: new secret, trial, pause, resume; and where it may be."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.settings.schema import HandlerSettings
from support.admin import Admin
from support.contexts import settings_for
from support.executors import running_executor
from support.http_server import FaultServer, Script
from support.queries import value

KIND = {"task_type": "call"}
SAID: dict[str, Any] = {**KIND, "handler_name": "Call", "handler_type": "http", "endpoint_url": "http://127.0.0.1:1/"}


async def register(admin: Admin, **said: Any) -> dict[str, Any]:
    """Register a handler and return how it is shown."""
    answer = await admin.post("/admin/handler/register", {**SAID, **said})
    assert answer.status == 201
    return dict(answer.json)


async def secrets(conn: AsyncConnection[TupleRow]) -> list[str]:
    """Return the secrets that requests are signed with now, the newest first."""
    found: list[str] = await value(
        conn,
        "SELECT array_remove(ARRAY[signing_secret, CASE WHEN previous_until > now() THEN previous_secret END],"
        " NULL) FROM riverrun_handler",
    )
    return found


async def test_a_new_secret_is_shown_once_and_used_beside_the_old_one(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    old = (await register(admin))["signing_secret"]

    rotated = await admin.post("/admin/handler/rotate_secret", {**KIND, "keep_s": 3600})
    new = rotated.json["signing_secret"]

    assert (rotated.status, new.startswith("whsec_"), new != old) == (200, True, True)
    assert await secrets(conn) == [new, old]
    assert "signing_secret" not in (await admin.get("/admin/handler/list")).json["data"][0]

    last = (await admin.post("/admin/handler/rotate_secret", {**KIND, "keep_s": 0})).json["signing_secret"]
    assert await secrets(conn) == [last]


async def test_a_signing_secret_is_seen_nowhere_but_in_the_answer_that_made_it(
    admin: Admin, database: str, service: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    secrets = [(await register(admin, endpoint_url=service.url()))["signing_secret"]]
    secrets.append((await admin.post("/admin/handler/rotate_secret", KIND)).json["signing_secret"])
    async with running_executor(settings_for(database)):
        tried = await admin.post("/admin/handler/test", KIND)

    paths = ("/admin/handler/list", "/admin/audit/list", "/admin/audit/export", "/metrics")
    answers = [await admin.get(path, headers={"Accept": f"{type_}, */*;q=0.1"})
               for path in paths for type_ in ("application/json", "text/html")]  # fmt: skip
    seen = [tried.text, *(answer.text for answer in answers), *(str(vars(record)) for record in caplog.records)]

    assert tried.json["state"] == "completed"
    assert any("handler.rotate_secret" in text for text in seen)
    assert [text for text in seen for secret in secrets if secret.removeprefix("whsec_") in text] == []


async def test_a_secret_is_changed_only_where_there_is_one_and_nobody_was_faster(admin: Admin) -> None:
    stale = f'"{(await register(admin))["version"]}"'
    await admin.request("PUT", "/admin/handler/update", json={**KIND, "timeout": 9})
    await register(admin, task_type="deaf", handler_type="grpc", endpoint_url="grpc://127.0.0.1:1")

    answers = [
        await admin.post("/admin/handler/rotate_secret", KIND, headers={"If-Match": stale}),
        await admin.post("/admin/handler/rotate_secret", {"task_type": "deaf"}),
        await admin.post("/admin/handler/rotate_secret", {"task_type": "unknown"}),
        await admin.post("/admin/handler/rotate_secret", {**KIND, "keep_s": -1}),
    ]

    assert [answer.status for answer in answers] == [412, 409, 404, 422]
    assert "only requests to HTTP handlers are signed" in answers[1].json["detail"]


async def test_a_handler_is_paused_and_resumed_and_a_trial_of_a_paused_one_is_refused(
    admin: Admin, conn: AsyncConnection[TupleRow]
) -> None:
    await register(admin)

    paused = [await admin.post("/admin/handler/pause", KIND) for _ in range(2)]
    refused = await admin.post("/admin/handler/test", KIND)
    resumed = [await admin.post("/admin/handler/resume", KIND) for _ in range(2)]
    unknown = [
        await admin.post(f"/admin/handler/{verb}", {"task_type": "none"}) for verb in ("pause", "resume", "test")
    ]

    assert [answer.status for answer in (*paused, *resumed)] == [200] * 4
    assert [answer.json["paused_at"] is None for answer in (*paused, *resumed)] == [False, False, True, True]
    assert paused[0].json["paused_at"] == paused[1].json["paused_at"]
    assert refused.status == 409
    assert "resume it first" in refused.json["detail"]
    assert await value(conn, "SELECT count(*) FROM river_job") == 0
    assert [answer.status for answer in unknown] == [404] * 3


@pytest.mark.parametrize("verb", ["pause", "resume"])
async def test_a_handler_is_not_paused_or_resumed_when_somebody_was_faster(
    admin: Admin, conn: AsyncConnection[TupleRow], verb: str
) -> None:
    old = f'"{(await register(admin))["version"]}"'
    if verb == "resume":
        await admin.post("/admin/handler/pause", KIND)
    changed = await admin.request("PUT", "/admin/handler/update", json={**KIND, "timeout": 9})
    paused = await value(conn, "SELECT paused_at FROM riverrun_handler")

    stale = await admin.post(f"/admin/handler/{verb}", KIND, headers={"If-Match": old})
    kept = await value(conn, "SELECT paused_at FROM riverrun_handler")
    fits = await admin.post(f"/admin/handler/{verb}", KIND, headers={"If-Match": changed.headers["ETag"]})

    assert (stale.status, stale.json["code"], fits.status) == (412, "version-mismatch", 200)
    assert kept == paused
    assert (fits.json["paused_at"] is None) == (verb == "resume")


async def test_a_trial_runs_one_job_and_tells_how_it_ended(admin: Admin, database: str, service: FaultServer) -> None:
    await register(admin, endpoint_url=service.url())
    nobody = await admin.post("/admin/handler/test", {**KIND, "wait_s": 0})

    async with running_executor(settings_for(database)):
        service.script = Script(headers={"Content-Type": "application/json"}, body=b'{"sent": 1}')
        worked = await admin.post("/admin/handler/test", {**KIND, "task_params": {"to": "a"}})
        service.script = Script(status=500, body=b"no room")
        failed = await admin.post("/admin/handler/test", KIND)

    assert (nobody.status, nobody.json["state"]) == (202, "available")
    assert (worked.status, worked.json["state"], worked.json["metadata"]["output"]) == (200, "completed", {"sent": 1})
    assert (failed.status, failed.json["state"], failed.json["attempt"]) == (200, "discarded", 1)
    assert "no room" in failed.json["errors"][0]["error"]


@pytest.mark.parametrize(
    ("field", "url"),
    [
        ("endpoint_url", "http://192.0.2.1/handle"),
        ("endpoint_url", "http://[::ffff:192.0.2.1]/handle"),
        ("health_url", "http://192.0.2.1/health"),
        ("cancel_url", "http://169.254.169.254/"),
    ],
)
async def test_a_service_outside_the_configured_networks_is_refused_at_every_door(
    admin: Admin, conn: AsyncConnection[TupleRow], field: str, url: str
) -> None:
    admin.context.settings = admin.context.settings.model_copy(
        update={"handlers": HandlerSettings(egress=["127.0.0.0/8", "hooks.example.org"])}
    )
    await register(admin)

    answers = [
        await admin.post("/admin/handler/register", {**SAID, "task_type": "other", field: url}),
        await admin.request("PUT", "/admin/handler/update", json={**KIND, field: url}),
    ]
    form = {**SAID, "task_type": "another", "endpoint_url": url}
    page = await admin.request("POST", "/admin/form/handler", data=form)

    for answer in answers:
        assert (answer.status, answer.pointers) == (422, [f"/{field}"])
        assert "handlers.egress" in answer.text
    assert page.status == 422
    assert "handlers.egress" in page.text
    assert await value(conn, "SELECT array_agg(kind) FROM riverrun_handler") == ["call"]
