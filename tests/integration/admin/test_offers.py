"""No page offers a button to somebody whom the server would refuse."""

from __future__ import annotations

import re

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from browser.fleet import fill
from riverrun.access import Role
from riverrun_admin.roles import ROLES
from support.admin import Admin
from support.tokens import bearing, make_token

PAGES = (
    "queue/dashboard",
    "queue/jobs",
    "queue/jobs?state=discarded",
    "queue/jobs/{failed}",
    "queue/jobs/{waiting}",
    "error/list",
    "queue/list",
    "page/queue?name=email",
    "page/queue?name=reports",
    "handler/list",
    "page/handler?task_type=order_webhook",
    "schedule/list",
    "page/schedule?name=sync_contacts",
    "server/list",
    "queue/bulk",
    "page/settings",
    "page/enqueue",
)
IDS = """
SELECT min(id) FILTER (WHERE state = 'discarded') AS failed, min(id) FILTER (WHERE state = 'scheduled') AS waiting
FROM river_job
"""
FORM = re.compile(r'<form[^>]* method="post"[^>]* action="(?:\.\./)*([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)
BUTTON = re.compile(r"<button[^>]*>")
ELSEWHERE = re.compile(r'formaction="(?:\.\./)*([^"]*)"')


def offered(page: str) -> set[str]:
    """Return where the buttons of a page send to, below ``/admin/``."""
    targets = set()
    for action, inside in FORM.findall(page):
        for button in BUTTON.findall(inside):
            elsewhere = ELSEWHERE.search(button)
            if 'formmethod="get"' not in button:
                targets.add(elsewhere[1] if elsewhere else action)
    return targets


def needed(target: str) -> Role:
    """Return the role that a form's target asks for."""
    path = f"/admin/{target}"
    return ROLES.get(("POST", path)) or ROLES["POST", f"{path.rpartition('/')[0]}/{{action}}"]


@pytest.mark.parametrize("role", ["read", "operate", "edit", "admin"])
async def test_every_button_is_one_that_its_reader_may_press(
    locked: Admin, conn: AsyncConnection[TupleRow], role: str
) -> None:
    await fill(conn)
    row = await (await conn.execute(IDS)).fetchone()
    assert row is not None
    reader = bearing((await make_token(locked, role))["token"])

    seen: set[str] = set()
    for page in PAGES:
        answer = await locked.page(f"/admin/{page.format(failed=row[0], waiting=row[1])}", **reader)
        assert answer.status == 200, page
        targets = offered(answer.text)
        assert [each for each in targets if not Role(role).allows(needed(each))] == [], page
        seen |= targets

    assert ("form/queue/scale" in seen, "form/schedule" in seen) == (role != "read", role == "admin")
