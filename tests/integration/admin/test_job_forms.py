"""The forms on the page of a job: what they change, who sees them, and how they say no."""

from __future__ import annotations

import re
from typing import Any

import pytest
from markupsafe import escape
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.access import TOKEN_ROLES, Role
from support.admin import Admin, Answer
from support.jobs import ago, insert, job
from support.queries import value
from support.tokens import bearing, make_token

Connection = AsyncConnection[TupleRow]

FIELDS = {
    "snooze": {"delay": "10m"},
    "move": {"queue": "slow"},
    "reprioritize": {"priority": "7"},
    "edit": {"task_params": '{"n": 12345678901234567890.10}', "max_attempts": "3", "tags": "vip, red-tag"},
}
HTML = {"Accept": "text/html"}


async def send(admin: Admin, form: str, job_id: int, headers: Any = None, **typed: str) -> Answer:
    data = {"job_id": str(job_id), **FIELDS[form], **typed}
    return await admin.request("POST", f"/admin/form/job/{form}", data=data, headers={**HTML, **(headers or {})})


@pytest.mark.parametrize(
    ("form", "notice", "afterwards", "before"),
    [
        ("snooze", "snoozed", "scheduled_at > now() + interval '9 minutes'", ("state", "available")),
        ("move", "moved", "queue = 'slow'", ("queue", "default")),
        ("reprioritize", "reprioritized", "priority = 7", ("priority", 2)),
        ("edit", "edited", "args ->> 'n' = '12345678901234567890.10'", ("task_params", '{"n": 1.10}')),
    ],
)
async def test_a_form_changes_a_job_and_what_was_before_is_recorded(
    admin: Admin, conn: Connection, form: str, notice: str, afterwards: str, before: tuple[str, object]
) -> None:
    job_id = await insert(conn, args='{"n": 1.10}', priority=2, max_attempts=25)

    answer = await send(admin, form, job_id)
    entry = (await admin.get("/admin/audit/list")).json["data"][0]

    assert (answer.status, answer.headers["Location"]) == (303, f"../../queue/jobs/{job_id}?notice={notice}")
    assert await value(conn, f"SELECT {afterwards} FROM river_job") is True
    assert (entry["action"], entry["target"]) == (f"job.{form}", f"job:{job_id}")
    assert (entry["before"][before[0]], entry["before"]["state"]) == (before[1], "available")
    assert entry["after"][before[0]] != before[1]


async def test_tags_are_words_between_commas(admin: Admin, conn: Connection) -> None:
    job_id = await insert(conn, max_attempts=25, tags=["old-tag"])

    await send(admin, "edit", job_id)
    both = (await job(conn, job_id))["tags"]
    await send(admin, "edit", job_id, tags=" , ")

    assert both == ["vip", "red-tag"]
    assert (await job(conn, job_id))["tags"] == []


@pytest.mark.parametrize(
    ("form", "typed", "reason", "chinese"),
    [
        ("snooze", {"delay": "soon <b>"}, "delay: &#39;soon &lt;b&gt;&#39; is not allowed", "不允许"),
        ("move", {"queue": "No such"}, "queue: &#39;No such&#39; is not allowed", "不允许"),
        ("reprioritize", {"priority": "77"}, "priority: 77 is not allowed", "不允许"),
        ("edit", {"task_params": '{"n": 1,}', "max_attempts": "0"}, "max_attempts: 0 is not allowed", "不允许"),
        ("edit", {"task_params": '{"password": "***"}'}, "which stands for what is hidden", "隐藏"),
    ],
)
async def test_a_refusal_stands_beside_its_form_with_what_was_typed(
    admin: Admin, conn: Connection, form: str, typed: dict[str, str], reason: str, chinese: str
) -> None:
    job_id = await insert(conn, max_attempts=25)
    before = await job(conn, job_id)

    answer = await send(admin, form, job_id, **typed)
    said_in_chinese = await send(admin, form, job_id, {"Accept-Language": "zh-CN"}, **typed)
    said, others = said_by(answer, form), [each for each in FIELDS if each != form and said_by(answer, each)]

    assert (answer.status, others) == (422, [])
    assert reason in said
    assert chinese in said_by(said_in_chinese, form)
    if form != "reprioritize":  # what is chosen from a list is one of the list again
        assert all(escape(each) in form_of(answer, form) for each in typed.values())
    assert f'href="../../queue/jobs/{job_id}?theme=dark"' in answer.text, "the links of the page lead back to it"
    assert await job(conn, job_id) == before
    assert await value(conn, "SELECT count(*) FROM riverrun_audit") == 0


def form_of(answer: Answer, form: str) -> str:
    """Return the HTML of a form of the page."""
    return answer.text.partition(f'form/job/{form}"')[2].partition("</form>")[0]


def said_by(answer: Answer, form: str) -> str:
    """Return what the form of the page says of a refusal; nothing when it was not refused."""
    found = re.search(r'<p class="refusal wide" role="alert">(.*?)</p>', form_of(answer, form))
    return found[1] if found else ""


@pytest.mark.parametrize(("state", "status"), [("running", 409), ("discarded", 409)])
@pytest.mark.parametrize("form", FIELDS)
async def test_a_job_that_does_not_wait_is_left_alone_and_its_page_says_why(
    admin: Admin, conn: Connection, form: str, state: str, status: int
) -> None:
    finalized: dict[str, Any] = {"finalized_at": ago("1 minute")} if state == "discarded" else {}
    job_id = await insert(conn, state=state, max_attempts=25, **finalized)
    before = await job(conn, job_id)

    page = await admin.page(f"/admin/queue/jobs/{job_id}")
    answer = await send(admin, form, job_id)

    assert f"form/job/{form}" not in page.text
    assert answer.status == status
    assert f"job {job_id} is" in answer.text.partition('id="problem"')[2]
    assert await job(conn, job_id) == before


async def test_a_job_that_is_gone_is_a_page_of_its_own(admin: Admin) -> None:
    answer = await send(admin, "snooze", 12345)

    assert answer.status == 404
    assert "job 12345 does not exist" in answer.text


async def test_a_form_that_would_take_the_unique_key_of_another_says_so(admin: Admin, conn: Connection) -> None:
    # A unique key counts in the states whose bits are set: here available alone, the leftmost bit being scheduled.
    unique: dict[str, Any] = {"unique_key": b"same", "unique_states": "10000000", "max_attempts": 25}
    await insert(conn, state="scheduled", scheduled_at=ago("-1 hour"), **unique)
    job_id = await insert(conn, state="available", **unique)

    answer = await send(admin, "snooze", job_id)

    assert answer.status == 409
    assert f"job {job_id} has the unique key of another unfinished job" in said_by(answer, "snooze")


@pytest.mark.parametrize("role", TOKEN_ROLES)
async def test_a_form_is_shown_to_those_who_may_use_it_and_to_no_others(
    locked: Admin, conn: Connection, role: str
) -> None:
    headers = bearing((await make_token(locked, role))["token"])
    job_id = await insert(conn, queue="mail", max_attempts=25)

    page = await locked.page(f"/admin/queue/jobs/{job_id}", **headers)
    for form in FIELDS:
        may = Role(role).allows(Role.EDIT if form == "edit" else Role.OPERATE)
        answer = await send(locked, form, job_id, headers)

        assert (f"form/job/{form}" in page.text) is may, form
        assert answer.status == (303 if may else 403), form
    for button in ("cancel", "delete"):
        assert (f"form/job/{button}" in page.text) is Role(role).allows(Role.OPERATE)


async def test_a_token_for_some_queues_moves_a_job_to_none_of_the_others(locked: Admin, conn: Connection) -> None:
    headers = bearing((await make_token(locked, "edit", queues=["mail*"]))["token"])
    own, other = [await insert(conn, queue=queue, max_attempts=25) for queue in ("mail", "default")]

    away = await send(locked, "move", own, headers, queue="default")
    foreign = await send(locked, "edit", other, headers)
    within = await send(locked, "move", own, headers, queue="mail_slow")

    assert (away.status, foreign.status, within.status) == (403, 404, 303)
    assert "this token is not for the queue default" in said_by(away, "move")


async def test_arguments_that_are_partly_hidden_are_not_offered(admin: Admin, conn: Connection) -> None:
    job_id = await insert(conn, args='{"password": "hunter2", "n": 1}', max_attempts=25)

    page = await admin.page(f"/admin/queue/jobs/{job_id}")
    answer = await admin.request(
        "POST", "/admin/form/job/edit", data={"job_id": str(job_id), "max_attempts": "3", "tags": ""}, headers=HTML
    )
    entry = (await admin.get("/admin/audit/list")).text

    assert 'name="task_params"' not in page.text
    assert "A part of the arguments is hidden" in page.text
    assert answer.status == 303
    assert (await job(conn, job_id))["args"] == {"password": "hunter2", "n": 1}
    assert "hunter2" not in entry


async def test_what_is_hidden_of_new_arguments_is_hidden_in_the_record_too(admin: Admin, conn: Connection) -> None:
    job_id = await insert(conn, max_attempts=25)

    by_form = await send(admin, "edit", job_id, task_params='{"password": "hunter2"}')
    by_api = await admin.post("/admin/queue/update", {"job_id": job_id, "task_params": '{"password": "hunter3"}'})

    assert (by_form.status, by_api.status) == (303, 200)
    assert "hunter" not in (await admin.get("/admin/audit/list")).text
