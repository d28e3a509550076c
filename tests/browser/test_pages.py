"""The pages in a browser: with script and without, on a wide screen and on a phone, in both languages."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect
from psycopg import AsyncConnection

from support.admin import Admin
from support.browser import NARROW, open_page
from support.hostile import HOSTILE, fill_with_hostile_text, hostile_job

PATHS = [
    "queue/dashboard",
    "queue/jobs",
    "error/list",
    "queue/list",
    "page/queue?name=email",
    "handler/list",
    "page/handler",
    "schedule/list",
    "page/schedule",
    "server/list",
    "queue/bulk",
    "queue/bulk/1",
    "page/bulk?action=move&filter=state:scheduled",
    "page/bulk?action=delete&filter=state:completed",
    "audit/list",
    "audit/verify",
    "token/list",
    "page/token",
    "page/settings",
    "page/enqueue",
]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}


async def failed_job(database: str) -> int:
    async with await AsyncConnection.connect(database) as conn:
        row = await (await conn.execute("SELECT max(id) FROM river_job WHERE state = 'discarded'")).fetchone()
        assert row is not None
        return int(row[0])


@pytest.mark.parametrize(("scheme", "language"), [("light", "en-US"), ("dark", "zh-CN")])
async def test_every_page_keeps_the_rules_of_accessibility(
    fleet: Admin, browser: Browser, database: str, scheme: str, language: str
) -> None:
    job = f"queue/jobs/{await failed_job(database)}"
    broken: list[str] = []
    async with open_page(browser, color_scheme=scheme, locale=language) as page:
        for path in [*PATHS, job]:
            await page.goto(f"{fleet.url}/admin/{path}")
            await page.wait_for_selector("#live:not([hidden])")
            found = await Axe().run(page, options=RULES)
            broken += [f"{path}: {found.generate_report()}"] if found.violations_count else []
    assert not broken, "\n".join(broken)


async def test_no_text_of_a_stranger_runs_on_any_page(fleet: Admin, browser: Browser, database: str) -> None:
    ran: list[str] = []
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        jobs = await fill_with_hostile_text(conn)
        async with open_page(browser) as page:
            page.on("dialog", lambda dialog: ran.append(page.url))
            for path in [*PATHS, *(f"queue/jobs/{job_id}" for job_id in jobs), "queue/jobs?state=discarded"]:
                await page.goto(f"{fleet.url}/admin/{path}")
                await page.wait_for_selector("#live:not([hidden])")
            later = [await hostile_job(conn, text) for text in HOSTILE]  # put into the page by its script
            await expect(page.locator(f"[data-key='job-{max(later)}']")).to_be_visible(timeout=15_000)
    assert ran == []


async def test_no_page_is_wider_than_a_phone(fleet: Admin, browser: Browser, database: str) -> None:
    job = f"queue/jobs/{await failed_job(database)}"
    async with open_page(browser, viewport=NARROW) as page:
        for path in [*PATHS, job]:
            await page.goto(f"{fleet.url}/admin/{path}")
            width = await page.evaluate("document.documentElement.scrollWidth")
            assert width <= NARROW["width"], path
            frames = "[...document.querySelectorAll('.frame')].filter(frame => !frame.closest('details'))"
            cut = await page.evaluate(f"{frames}.filter(frame => frame.scrollWidth > frame.clientWidth).length")
            assert cut == 0, f"{path}: {cut} tables are cut off"


async def test_pages_are_read_and_a_queue_is_paused_without_script(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser, java_script_enabled=False) as page:
        await page.goto(f"{fleet.url}/admin/queue/dashboard")
        await expect(page.locator(".plot .area").first).to_be_visible()
        await page.goto(f"{fleet.url}/admin/page/queue?name=email")
        await page.get_by_role("button", name="Pause…").click()
        await page.get_by_role("button", name="Pause", exact=True).click()
        await expect(page.locator("#notice")).to_contain_text("The queue is paused.")
        await page.get_by_role("button", name="Resume").click()
        await expect(page.locator("#notice")).to_contain_text("The queue goes on.")


async def test_a_queue_is_paused_in_place_and_the_page_says_so(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/queue/list")
        row = page.locator("[data-key=queue-email]")
        await row.evaluate("row => { row.same = true; }")
        await row.get_by_role("button", name="Pause…").click()
        await row.get_by_role("button", name="Pause", exact=True).click()
        await expect(page.locator(".toasts")).to_contain_text("The queue is paused.")
        await expect(row.get_by_role("button", name="Resume")).to_be_visible()
        assert await row.evaluate("row => row.same"), "the row is the same element as before"
        assert page.url.endswith("/admin/queue/list")


async def test_a_refused_action_is_a_sentence_and_the_page_stays(fleet: Admin, browser: Browser, database: str) -> None:
    job_id = await failed_job(database)
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs/{job_id}")
        async with await AsyncConnection.connect(database) as conn:
            await conn.execute("DELETE FROM river_job WHERE id = %s", (job_id,))
        await page.get_by_role("button", name="Retry now").click()
        await expect(page.locator(".toasts .bad")).to_contain_text(f"job {job_id} does not exist")


async def test_new_jobs_appear_by_themselves(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs?state=available&tag=fresh-tag&refresh=1")
        await expect(page.locator(".empty")).to_be_visible()
        await fleet.enqueue(tags=["fresh-tag"])
        await expect(page.locator("tbody tr")).to_have_count(1, timeout=15_000)


async def test_changes_wait_while_somebody_ticks_and_come_when_asked_for(fleet: Admin, browser: Browser) -> None:
    await fleet.enqueue(tags=["held-tag"])
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs?tag=held-tag&refresh=1")
        await page.locator("td.tick input").first.check()
        await fleet.enqueue(tags=["held-tag"])

        pill = page.locator(".pill")
        await expect(pill).to_contain_text("1 change", timeout=15_000)
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("#live")).to_have_attribute("data-state", "held")
        await pill.click()
        await expect(page.locator("tbody tr")).to_have_count(2)
        assert await page.locator("td.tick input:checked").count() == 1, "the tick stays on its job"


async def test_a_range_of_rows_is_ticked_and_retried(fleet: Admin, browser: Browser, database: str) -> None:
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs?state=discarded&limit=25&refresh=off")
        boxes = page.locator("td.tick input")
        await boxes.nth(1).click()
        await boxes.nth(4).click(modifiers=["Shift"])
        await expect(page.locator("#tick-count")).to_have_text("4 ticked")
        ids = [await boxes.nth(place).input_value() for place in range(1, 5)]
        await page.get_by_role("button", name="Retry now").click()
        await expect(page.locator(".toasts")).to_contain_text("Done")
    async with await AsyncConnection.connect(database) as conn:
        rows = await (
            await conn.execute("SELECT state FROM river_job WHERE id = ANY (%s)", ([int(i) for i in ids],))
        ).fetchall()
    assert [row[0] for row in rows] == ["available"] * 4


async def test_deleting_asks_first(fleet: Admin, browser: Browser, database: str) -> None:
    job_id = await failed_job(database)
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs/{job_id}")
        await expect(page.get_by_role("button", name="Delete for good")).to_be_hidden()
        await page.get_by_role("button", name="Delete…").click()
        await page.get_by_role("button", name="Delete for good").click()
        await expect(page).to_have_url(re.compile(r"/admin/queue/jobs\?notice=deleted"))


async def _row(page: Page) -> str:
    return await page.locator("[data-rows] tr[aria-current]").get_attribute("data-key") or ""


async def test_the_keyboard_leads_everywhere(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/queue/dashboard")
        await page.wait_for_selector("#live:not([hidden])")
        for key, path in (("q", "queue/list"), ("e", "error/list"), ("v", "server/list"), ("j", "queue/jobs")):
            await page.keyboard.press("g")
            await page.keyboard.press(key)
            await expect(page).to_have_url(f"{fleet.url}/admin/{path}")
            await page.wait_for_selector("#live:not([hidden])")

        await page.keyboard.press("j")
        first = await _row(page)
        await page.keyboard.press("j")
        assert await _row(page) != first
        await page.keyboard.press("k")
        assert await _row(page) == first
        await page.keyboard.press("x")
        await expect(page.locator("#tick-count")).to_have_text("1 ticked")
        await page.keyboard.press("/")
        await expect(page.locator("#search")).to_be_focused()
        await page.keyboard.type("kind:thumbnail")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile("filter=kind(:|%3A)thumbnail"))


async def test_help_and_palette_open_and_close(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser, locale="zh-CN") as page:
        await page.goto(f"{fleet.url}/admin/queue/dashboard")
        await page.wait_for_selector("#live:not([hidden])")
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_contain_text("快捷键")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await page.keyboard.press("Control+k")
        await page.keyboard.type("处理器")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(f"{fleet.url}/admin/handler/list")


async def test_a_theme_that_was_turned_stays(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser, color_scheme="light") as page:
        await page.goto(f"{fleet.url}/admin/queue/list")
        await page.wait_for_selector("#live:not([hidden])")
        async with page.expect_response(re.compile("theme=dark")):
            await page.keyboard.press("t")
        await page.reload()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_the_first_paint_comes_within_a_second_and_nothing_moves_after(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/queue/dashboard")
        await page.wait_for_selector("#live:not([hidden])")
        shift = await page.evaluate(
            "() => new Promise(done => new PerformanceObserver(list =>"
            " done(list.getEntries().reduce((sum, entry) => sum + entry.value, 0)))"
            ".observe({type: 'layout-shift', buffered: true}) || setTimeout(() => done(0), 500))"
        )
        assert shift < 0.1
