"""Draws every page, light and dark, into docs/images: ``make screenshots``.

It is run as a test, for a test's database, and not among them: its name is not a test's.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Browser
from psycopg import AsyncConnection

from browser.fleet import fill
from support.admin import running_admin
from support.browser import open_page

FOLDER = Path(os.environ.get("SCREENSHOTS", "docs/images"))
PAGES = {
    "overview": "queue/dashboard",
    "jobs": "queue/jobs",
    "job": "queue/jobs/{running}",
    "failed-job": "queue/jobs/{failed}",
    "errors": "error/list",
    "queues": "queue/list",
    "queue": "page/queue?name=email",
    "handlers": "handler/list",
    "schedules": "schedule/list",
    "schedule": "page/schedule?name=sync_contacts",
    "servers": "server/list",
    "settings": "page/settings",
    "handler": "page/handler?task_type=order_webhook",
    "bulk": "queue/bulk",
    "audit": "audit/list",
    "tokens": "token/list",
    "enqueue": "page/enqueue?kind=email_send",
}
LOOKS = ("light", "dark")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("look", LOOKS)
async def test_every_page_is_drawn(database: str, browser: Browser, look: str) -> None:
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        await fill(conn)
        ids = {}
        for name, state in (("running", "running"), ("failed", "discarded")):
            row = await (await conn.execute("SELECT min(id) FROM river_job WHERE state = %s", (state,))).fetchone()
            assert row is not None
            ids[name] = row[0]
    FOLDER.mkdir(parents=True, exist_ok=True)

    async with (
        running_admin(database, environment="production", colour="red") as admin,
        open_page(browser, color_scheme=look, viewport={"width": 1280, "height": 780}) as page,
    ):
        for name, path in PAGES.items():
            await page.goto(f"{admin.url}/admin/{path.format(**ids)}")
            await page.wait_for_selector("#live:not([hidden])")
            await page.screenshot(path=FOLDER / f"{name}-{look}.png", animations="disabled", caret="hide")
