"""One thing is done to many jobs from the list: asked about with a number, confirmed, and begun in the background."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from markupsafe import escape
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.access import TOKEN_ROLES, Role
from riverrun.store.bulk_operations import ACTIONS
from support.admin import Admin, Answer
from support.eventually import eventually
from support.jobs import insert, states
from support.queries import value
from support.tokens import bearing, make_token

Connection = AsyncConnection[TupleRow]

NEEDED = {"snooze": {"delay": "10m"}, "move": {"queue": "slow"}, "reprioritize": {"priority": "7"}}
HTML = {"Accept": "text/html"}


async def seed(conn: Connection, jobs: int, *, kind: str = "email", queue: str = "default") -> list[int]:
    rows = await conn.execute(
        "INSERT INTO river_job (state, kind, args, max_attempts, queue, scheduled_at)"
        " SELECT 'scheduled', %s, '{}', 25, %s, now() + interval '1 day' FROM generate_series(1, %s) RETURNING id",
        (kind, queue, jobs),
    )
    return [row[0] for row in await rows.fetchall()]


async def confirm(admin: Admin, headers: Any = None, **typed: str) -> Answer:
    return await admin.request("POST", "/admin/form/bulk/begin", data=typed, headers={**HTML, **(headers or {})})


async def finished(conn: Connection) -> bool:
    return bool(await value(conn, "SELECT bool_and(finished_at IS NOT NULL) FROM riverrun_bulk"))


def heading(answer: Answer) -> str:
    found = re.search(r"<h1>(.*?)</h1>", answer.text, re.DOTALL)
    assert found is not None
    return " ".join(found[1].split())


@pytest.mark.parametrize("action", ACTIONS)
async def test_an_action_is_asked_about_with_its_number_and_done_to_what_matches(
    admin: Admin, conn: Connection, action: str
) -> None:
    await seed(conn, 3)
    await seed(conn, 1, kind="report")

    asked = await admin.page(f"/admin/page/bulk?action={action}&kind=email&state=scheduled")
    answer = await confirm(admin, action=action, filter="state:scheduled kind:email", **NEEDED.get(action, {}))
    await eventually(lambda: finished(conn), within=10)

    assert heading(asked).startswith("3 jobs match. ")
    assert 'value="state:scheduled kind:email"' in asked.text
    assert re.fullmatch(r"\.\./\.\./queue/bulk/\d+\?notice=bulk_begun", answer.headers["Location"])
    kept = "SELECT action, filter, matched, changed, actor FROM riverrun_bulk"
    row = await (await conn.execute(kept.encode())).fetchone()
    assert row == (action, "state:scheduled kind:email", 3, 3, "local")


async def test_what_was_ticked_is_done_and_nothing_else(admin: Admin, conn: Connection) -> None:
    first, second, third = await seed(conn, 3)
    query = urlencode(
        [("action", "move"), ("ticked", "1"), ("id", first), ("id", third), ("back", "queue/jobs?tag=a-b")]
    )

    asked = await admin.page(f"/admin/page/bulk?{query}")
    answer = await confirm(admin, action="move", ids=f"{first},{third}", queue="slow")
    await eventually(lambda: finished(conn), within=10)

    assert heading(asked) == "2 ticked. Move them to another queue?"
    assert f'name="ids" value="{first},{third}"' in asked.text
    assert 'href="../queue/jobs?tag=a-b"' in asked.text
    assert answer.status == 303
    moved = await value(conn, "SELECT array_agg(id ORDER BY id) FROM river_job WHERE queue = 'slow'")
    assert moved == [first, third]
    assert second not in moved


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ({"action": "snooze", "delay": "soon"}, "delay: 'soon' is not allowed"),
        ({"action": "move", "queue": "No such"}, "queue: 'No such' is not allowed"),
        ({"action": "reprioritize", "priority": "77"}, "priority: 77 is not allowed"),
        ({"action": "delete", "shown": "1001", "sure": "1000"}, "expected 1001, the number that the page shows"),
        ({"action": "delete", "shown": "1001"}, "expected 1001, the number that the page shows"),
    ],
)
async def test_a_refusal_is_said_on_the_page_that_asked_with_what_was_typed(
    admin: Admin, conn: Connection, typed: dict[str, Any], reason: str
) -> None:
    await seed(conn, 2)

    answer = await confirm(admin, filter="kind:email", **typed)

    assert answer.status == 422
    assert str(escape(reason)) in answer.text.partition('class="refusal wide" role="alert">')[2]
    assert heading(answer).startswith("2 jobs match. ")
    for name in typed.keys() & {"delay", "queue"}:
        assert f'value="{typed[name]}"' in answer.text
    address = f"../../page/bulk?action={typed['action']}&amp;filter=kind:email&amp;theme=dark"
    assert address in answer.text, "the links of the page lead back to it"
    assert await value(conn, "SELECT count(*) FROM riverrun_bulk") == 0


@pytest.mark.parametrize("ids", ["1,x", "0", ",".join(["1"] * 1_001)])
async def test_ticked_jobs_that_cannot_be_are_refused(admin: Admin, conn: Connection, ids: str) -> None:
    answer = await confirm(admin, action="delete", ids=ids)

    assert answer.status == 422
    assert "ids: " in answer.text
    assert await value(conn, "SELECT count(*) FROM riverrun_bulk") == 0


async def test_more_than_a_thousand_are_confirmed_by_typing_their_number(admin: Admin, conn: Connection) -> None:
    await seed(conn, 1_001)

    asked = await admin.page("/admin/page/bulk?action=delete&filter=kind:email")
    answer = await confirm(admin, action="delete", filter="kind:email", shown="1001", sure="1001")
    await eventually(lambda: finished(conn), within=10)

    assert heading(asked) == "1,001 jobs match. Delete them for good?"
    assert 'name="sure" required pattern="1001"' in asked.text
    assert answer.status == 303
    assert await states(conn) == []


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("filter=kind:email", 200, "No job matches."),
        ("", 422, "at least one term"),
        ("ticked=1", 422, "at least one job, ticked in the list"),
        ("ticked=1&id=x", 422, "id: "),
        ("action=explode&filter=kind:email", 422, "?action: "),
        ("filter=colour:red", 422, "colour"),
        ("colour=red", 422, "?colour"),
        ("tags_all=red-tag", 422, "a term of the filter in its place"),
        ("ticked=1&id=1&back=//evil.example/", 200, 'href="../queue/jobs"'),
    ],
)
async def test_the_page_asks_about_jobs_that_can_be_named_alone(
    admin: Admin, query: str, status: int, said: str
) -> None:
    answer = await admin.page(f"/admin/page/bulk?{query}")

    assert answer.status == status
    assert said in answer.text
    assert "evil" not in answer.text.partition("<main")[2]


async def test_the_list_leads_there_with_its_own_filter(admin: Admin, conn: Connection) -> None:
    await seed(conn, 1)
    filtered = await admin.page(
        "/admin/queue/jobs?filter=kind:email&state=scheduled&priority=1&created_after=2020-01-01T00:00:00Z"
    )
    plain = await admin.page("/admin/queue/jobs")

    found = re.search(r'href="(\.\./page/bulk\?action=delete&amp;[^"]*)"', filtered.text)
    assert found is not None
    asked = await admin.page(f"/admin/{found[1].removeprefix('../')}".replace("&amp;", "&"))
    assert heading(asked).startswith("One job matches. ")
    assert "page/bulk?" not in plain.text, "not for all jobs there are"


@pytest.mark.parametrize("role", TOKEN_ROLES)
async def test_only_who_may_operate_is_offered_it(locked: Admin, conn: Connection, role: str) -> None:
    await seed(conn, 1)
    headers = bearing((await make_token(locked, role))["token"])
    may = Role(role).allows(Role.OPERATE)

    listed = await locked.page("/admin/queue/jobs?kind=email", **headers)
    asked = await locked.page("/admin/page/bulk?filter=kind:email", **headers)
    begun = await confirm(locked, headers, action="cancel", filter="kind:email")

    assert (("page/bulk" in listed.text), ('type="checkbox"' in listed.text)) == (may, may)
    assert (asked.status, begun.status) == ((200, 303) if may else (403, 403))


async def test_a_token_for_some_queues_acts_within_them(locked: Admin, conn: Connection) -> None:
    await insert(conn, "river_queue", name="mail", created_at="now", updated_at="now")
    theirs, others = await seed(conn, 1, queue="mail"), await seed(conn, 1)
    headers = bearing((await make_token(locked, "operate", queues=["mail*"]))["token"])

    asked = await locked.page("/admin/page/bulk?filter=kind:email", **headers)
    away = await confirm(locked, headers, action="move", filter="kind:email", queue="default")
    begun = await confirm(locked, headers, action="delete", ids=f"{theirs[0]},{others[0]}")
    await eventually(lambda: finished(conn), within=10)

    assert heading(asked).startswith("One job matches. ")
    assert (away.status, begun.status) == (403, 303)
    assert await value(conn, "SELECT array_agg(id) FROM river_job") == others


async def test_an_action_that_there_is_not_is_refused_on_a_page(admin: Admin) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    fields = {"action": "foo", "filter": "state:discarded"}

    answer = await admin.request("POST", "/admin/form/bulk/begin", data=fields, headers=headers)

    assert answer.status == 422
    assert "foo" in answer.text
