"""What is hidden of arguments is hidden in schedules and where jobs are watched too, and is never stored."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from support.admin import Admin, running_admin
from support.jobs import ago, insert
from support.queries import value
from support.streams import next_event, watching

Connection = AsyncConnection[TupleRow]
PARAMS = '{"n": 1.10, "password": "hunter2"}'
SHOWN = {"n": 1.1, "password": "***"}
SCHEDULE = {
    "name": "nightly",
    "task_type": "report",
    "every_s": 3600,
    "task_params": PARAMS,
    "metadata": {"token": "sesame"},
}
ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def schedule(admin: Admin) -> dict[str, Any]:
    answer = await admin.post("/admin/schedule/create", SCHEDULE)
    assert answer.status == 201
    return dict(answer.json)


async def _stored(conn: Connection) -> tuple[str, str]:
    args = await value(conn, "SELECT args::text FROM riverrun_schedule")
    return args, await value(conn, "SELECT metadata::text FROM riverrun_schedule")


async def test_a_schedule_is_shown_without_what_is_hidden(admin: Admin, schedule: dict[str, Any]) -> None:
    (listed,) = (await admin.get("/admin/schedule/list")).json["data"]
    paused = await admin.post("/admin/schedule/pause", {"name": "nightly"})
    pages = [await admin.page(path) for path in ("/admin/page/schedule?name=nightly", "/admin/schedule/list")]

    for each in (schedule, listed, paused.json):
        assert (each["task_params"], each["metadata"]) == (SHOWN, {"token": "***"})
    assert [page.status for page in pages] == [200, 200]
    assert not any("hunter2" in page.text or "sesame" in page.text for page in pages)


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [({"task_params": '{"n": 2, "password": "***"}'}, "/task_params"), ({"metadata": {"token": "***"}}, "/metadata")],
)
@pytest.mark.usefixtures("schedule")
async def test_what_was_shown_with_a_part_hidden_is_not_stored(
    admin: Admin, conn: Connection, changed: dict[str, Any], pointer: str
) -> None:
    before = await _stored(conn)

    answer = await admin.request("PUT", "/admin/schedule/update", json={**SCHEDULE, **changed})

    assert (answer.status, answer.pointers) == (422, [pointer])
    assert await _stored(conn) == before


async def test_a_form_changes_a_schedule_and_leaves_arguments_that_it_cannot_show_whole(
    admin: Admin, conn: Connection, schedule: dict[str, Any]
) -> None:
    args, _ = await _stored(conn)
    page = await admin.page("/admin/page/schedule?name=nightly")
    said = {"name": "nightly", "task_type": "report", "cron": "30 4 * * *", "revision": str(schedule["version"])}

    shown = await admin.request(
        "POST", "/admin/form/schedule", data={**said, "task_params": '{"password": "***"}'}, headers=ORIGIN
    )
    saved = await admin.request("POST", "/admin/form/schedule", data=said, headers=ORIGIN)

    assert 'name="task_params"' not in page.text
    assert (shown.status, saved.status) == (422, 303)
    assert await value(conn, "SELECT expression FROM riverrun_schedule") == "30 4 * * *"
    assert (await _stored(conn))[0] == args


async def test_the_progress_of_a_job_is_watched_without_what_is_hidden(database: str, conn: Connection) -> None:
    progress = '{"riverrun:progress": {"fraction": 0.5, "note": "card 4111111111111111", "token": "sesame"}}'
    job_id = await insert(conn, state="running", attempt=1, attempted_at=ago("1 second"), metadata=progress)

    async with (
        running_admin(database, mask_patterns=[r"[0-9]{13,19}"]) as admin,
        watching(admin, f"job:{job_id}") as stream,
    ):
        _, told = await next_event(stream)

    assert told["progress"] == {"fraction": 0.5, "note": "card ***", "token": "***"}
