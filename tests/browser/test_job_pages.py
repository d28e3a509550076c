"""What an operator does about jobs, one and many, in a browser: with the keyboard, on a phone, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from psycopg import AsyncConnection

from support.admin import Admin
from support.browser import NARROW, open_page
from support.jobs import insert
from support.queries import value

WORDS = {
    "en-US": {
        "change": "Change this job",
        "wait": "Let it wait for",
        "snooze": "Snooze",
        "snoozed": "The job waits until then.",
        "refused": "is not allowed",
        "edit": "Change it",
        "edited": "The job was changed",
        "matching": "All that match…",
        "cancel": "Cancel them",
        "more": "More…",
        "moves": "Move to queue",
        "into": "Into the queue",
        "move": "Move them",
        "retry": "Retry all…",
        "retry_them": "Retry them",
        "delete_tab": "Delete",
        "delete": "Delete them for good",
        "alike": "whose last error says",
        "alert": "Jobs wait in webhooks, and no executor serves it.",
        "mend": "See to it",
        "search": "Search",
        "save_view": "Save this view…",
        "save": "Save",
        "name": "Name",
        "forget": "Forget the view",
    },
    "zh-CN": {
        "change": "修改此任务",
        "wait": "从现在起延后",
        "snooze": "延后",
        "snoozed": "任务已延后。",
        "refused": "不允许",
        "edit": "修改",
        "edited": "任务已修改",
        "matching": "所有符合条件的…",
        "cancel": "取消这些任务",
        "more": "更多…",
        "moves": "移动到队列",
        "into": "移到队列",
        "move": "移动",
        "retry": "全部重试…",
        "retry_them": "重试",
        "delete_tab": "删除",
        "delete": "永久删除",
        "alike": "最后一次错误信息如下",
        "alert": "队列 webhooks 有任务等待，但没有执行器为其服务。",
        "mend": "去处理",
        "search": "搜索",
        "save_view": "保存此视图…",
        "save": "保存",
        "name": "名称",
        "forget": "删除视图",
    },
}


async def waiting_job(database: str) -> int:
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        job_id: int = await insert(conn, kind="email_send", queue="email", args='{"n": 1.10}', max_attempts=25)
        return job_id


async def has_no_overflow(page: Page) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("language", WORDS)
async def test_a_job_is_snoozed_and_edited_on_a_phone_and_refusals_stand_beside_the_form(
    fleet: Admin, browser: Browser, database: str, language: str
) -> None:
    words, job_id = WORDS[language], await waiting_job(database)
    async with open_page(browser, viewport=NARROW, locale=language) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs/{job_id}")
        await page.get_by_text(words["change"], exact=True).click()
        assert await has_no_overflow(page)
        delay = page.get_by_label(words["wait"])
        await delay.fill("soon")
        await delay.press("Enter")
        await expect(page.locator(".refusal:visible")).to_contain_text(words["refused"])
        await expect(delay).to_be_focused()
        await expect(delay).to_have_value("soon")
        assert await has_no_overflow(page)
        await delay.fill("2h")
        await page.get_by_role("button", name=words["snooze"], exact=True).click()
        await expect(page.locator(".toasts")).to_contain_text(words["snoozed"])
        await expect(page.locator(".refusal:visible")).to_have_count(0)
        await expect(page.locator(".title .badge")).to_have_attribute("title", "scheduled")

        await page.locator("textarea").fill('{"n": 2.50}')
        await page.get_by_role("button", name=words["edit"], exact=True).click()
        await expect(page.locator(".toasts")).to_contain_text(words["edited"])
        await expect(page.locator("main pre").first).to_contain_text('"n": 2.50')


async def test_a_job_is_moved_by_the_keyboard_alone(fleet: Admin, browser: Browser, database: str) -> None:
    job_id = await waiting_job(database)
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs/{job_id}")
        await page.wait_for_selector("#live:not([hidden])")
        await page.locator("details.changes > summary").focus()
        await page.keyboard.press("Enter")
        for _ in range(3):
            await page.keyboard.press("Tab")
        await expect(page.locator("input[name=queue]")).to_be_focused()
        await page.keyboard.press("Control+a")
        await page.keyboard.type("images")
        await page.keyboard.press("Enter")
        await expect(page.locator(".facts")).to_contain_text("images")


async def test_what_is_typed_survives_what_happens_to_the_job(fleet: Admin, browser: Browser, database: str) -> None:
    job_id = await waiting_job(database)
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs/{job_id}?refresh=1")
        await page.locator("details.changes > summary").click()
        await page.locator("textarea").fill('{"n": 3')
        async with await AsyncConnection.connect(database, autocommit=True) as conn:
            await conn.execute("UPDATE river_job SET priority = 8 WHERE id = %s", (job_id,))
        await expect(page.locator("#live")).to_have_attribute("data-state", "held", timeout=15_000)
        await expect(page.locator("textarea")).to_have_value('{"n": 3')


async def test_a_job_is_changed_without_script(fleet: Admin, browser: Browser, database: str) -> None:
    job_id = await waiting_job(database)
    async with open_page(browser, java_script_enabled=False) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs/{job_id}")
        await page.locator("details.changes > summary").click()
        await page.locator("textarea").fill("[]")
        await page.get_by_role("button", name="Change it").click()
        await expect(page.locator(".refusal:visible")).to_contain_text("task_params")
        await expect(page.locator("textarea")).to_have_value("[]")
        await page.locator("textarea").fill('{"n": 4}')
        await page.get_by_role("button", name="Change it").click()
        await expect(page.locator("#notice")).to_contain_text("The job was changed")
        await expect(page.locator("main pre").first).to_contain_text('"n": 4')


@pytest.mark.parametrize("language", WORDS)
async def test_everything_that_matches_is_cancelled_on_a_phone_and_its_end_is_seen(
    fleet: Admin, browser: Browser, database: str, language: str
) -> None:
    words = WORDS[language]
    async with open_page(browser, viewport=NARROW, locale=language) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs?filter=state:retryable+kind:order_webhook")
        await page.locator("summary", has_text=words["matching"]).click()
        assert await has_no_overflow(page)
        await page.locator('.sheet a[href*="action=cancel"]').click()
        heading = await page.locator("h1").inner_text()
        assert await has_no_overflow(page)
        await page.get_by_role("button", name=words["cancel"]).click()

        await expect(page).to_have_url(re.compile(r"/queue/bulk/\d+"))
        await expect(page.locator(".title .badge")).to_have_class(re.compile("completed"), timeout=15_000)
    number = int(re.findall(r"\d+", heading)[0])
    async with await AsyncConnection.connect(database) as conn:
        left = await value(conn, "SELECT count(*) FROM river_job WHERE state = 'retryable' AND kind = 'order_webhook'")
        done = await value(conn, "SELECT changed FROM riverrun_bulk ORDER BY id DESC LIMIT 1")
    assert (left, done) == (0, number)
    assert number > 1


@pytest.mark.parametrize("language", WORDS)
async def test_what_is_ticked_by_the_keyboard_is_moved(
    fleet: Admin, browser: Browser, database: str, language: str
) -> None:
    words = WORDS[language]
    async with open_page(browser, locale=language) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs?state=scheduled&queue=images")
        await page.wait_for_selector("#live:not([hidden])")
        for key in ("j", "x", "j", "x"):
            await page.keyboard.press(key)
        await page.keyboard.press(".")
        await page.get_by_role("link", name=words["moves"], exact=True).click()
        await expect(page.locator("h1")).to_contain_text("2")
        await expect(page.get_by_label(words["into"])).to_be_focused()
        await page.keyboard.type("email")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile(r"/queue/bulk/\d+"))
        await expect(page.locator(".title .badge")).to_have_class(re.compile("completed"), timeout=15_000)
    async with await AsyncConnection.connect(database) as conn:
        row = await (
            await conn.execute("SELECT action, changed FROM riverrun_bulk ORDER BY id DESC LIMIT 1")
        ).fetchone()
    assert row == ("move", 2)


async def test_a_list_is_acted_on_without_script(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser, java_script_enabled=False) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs?state=scheduled")
        await page.locator("td.tick input").first.check()
        await page.get_by_role("button", name="More…").click()
        await page.get_by_role("link", name="Snooze").click()
        await page.get_by_label("Let it wait for").fill("soon")
        await page.get_by_role("button", name="Snooze them").click()
        await expect(page.locator(".refusal:visible")).to_contain_text("delay")
        await page.get_by_label("Let it wait for").fill("1h")
        await page.get_by_role("button", name="Snooze them").click()
        await expect(page.locator("#notice")).to_contain_text("The operation has begun.")


@pytest.mark.parametrize("language", WORDS)
async def test_a_group_of_failures_is_retried_and_another_one_deleted_on_a_phone(
    fleet: Admin, browser: Browser, database: str, language: str
) -> None:
    words, failed = WORDS[language], "SELECT count(*) FROM river_job WHERE state IN ('discarded', 'retryable')"
    async with await AsyncConnection.connect(database, autocommit=True) as conn:
        before, jobs = await value(conn, failed), await value(conn, "SELECT count(*) FROM river_job")
        async with open_page(browser, viewport=NARROW, locale=language) as page:
            await page.goto(f"{fleet.url}/admin/error/list")
            assert await has_no_overflow(page)
            await page.get_by_role("link", name=words["retry"]).first.click()
            await expect(page.locator("main")).to_contain_text(words["alike"])
            assert await has_no_overflow(page)
            await page.get_by_role("button", name=words["retry_them"], exact=True).click()
            await expect(page.locator(".title .badge")).to_have_class(re.compile("completed"), timeout=15_000)
            retried = before - await value(conn, failed)
            await page.goto(f"{fleet.url}/admin/error/list")
            await page.locator("tbody").get_by_role("link", name=words["more"]).first.focus()
            await page.keyboard.press("Enter")
            await page.get_by_role("link", name=words["delete_tab"], exact=True).click()
            await page.get_by_role("button", name=words["delete"], exact=True).click()
            await expect(page.locator(".title .badge")).to_have_class(re.compile("completed"), timeout=15_000)
        gone = jobs - await value(conn, "SELECT count(*) FROM river_job")
    assert retried > 1
    assert gone > 1


@pytest.mark.parametrize("language", WORDS)
async def test_a_list_and_a_log_are_kept_as_files(fleet: Admin, browser: Browser, database: str, language: str) -> None:
    async with await AsyncConnection.connect(database) as conn:
        running = await value(conn, "SELECT min(id) FROM river_job WHERE state = 'running'")
        failed = await value(conn, "SELECT count(*) FROM river_job WHERE state = 'discarded'")
    async with open_page(browser, viewport=NARROW, locale=language) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs?state=discarded&limit=25")
        async with page.expect_download() as kept:
            await page.get_by_role("link", name="CSV").click()
        table = Path(await (await kept.value).path()).read_text(encoding="utf-8-sig")
        assert len(table.splitlines()) == failed + 1
        await page.goto(f"{fleet.url}/admin/queue/jobs/{running}")
        async with page.expect_download() as kept:
            await page.locator("#log a[download]").click()
        assert (await kept.value).suggested_filename == f"riverrun-job-{running}.log"
        assert "rendering" in Path(await (await kept.value).path()).read_text()


@pytest.mark.parametrize("language", WORDS)
async def test_the_overview_leads_to_what_is_to_be_seen_to(fleet: Admin, browser: Browser, language: str) -> None:
    words = WORDS[language]
    async with open_page(browser, viewport=NARROW, locale=language) as page:
        await page.goto(f"{fleet.url}/admin/queue/dashboard")
        alert = page.locator("[data-key=alert-unserved-webhooks]")
        await expect(alert).to_contain_text(words["alert"])
        await expect(page.locator(".alerts .note")).to_have_count(3)
        assert await has_no_overflow(page)
        await alert.get_by_role("link", name=words["mend"]).focus()
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(f"{fleet.url}/admin/page/queue?name=webhooks")


@pytest.mark.parametrize("language", WORDS)
async def test_a_search_is_completed_by_keyboard_and_by_pointer(fleet: Admin, browser: Browser, language: str) -> None:
    async with open_page(browser, locale=language) as page:
        await page.goto(f"{fleet.url}/admin/queue/dashboard")
        await page.wait_for_selector("#live:not([hidden])")
        field = page.get_by_label(WORDS[language]["search"], exact=True)
        await field.focus()
        await page.keyboard.type("sta")
        await expect(page.locator("#suggestions li")).to_have_text(["state:"])
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")
        await page.keyboard.type("disc")
        await page.keyboard.press("ArrowDown")
        await expect(field).to_have_attribute("aria-activedescendant", "suggestion-0")
        await page.keyboard.press("Tab")
        await expect(field).to_have_value("state:discarded ")
        await page.keyboard.type("kind:mail")
        await page.get_by_role("option", name="kind:email_send").click()
        await page.keyboard.type("nothing:x")
        await expect(page.get_by_role("listbox")).to_be_hidden()
        for _ in "nothing:x":
            await page.keyboard.press("Backspace")
        await page.keyboard.press("Enter")
        await expect(page).to_have_url(re.compile(r"filter=state(:|%3A)discarded(\+|%20)kind(:|%3A)email_send"))


async def test_suggestions_close_with_escape_and_fit_a_phone(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser, viewport=NARROW) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs")
        await page.wait_for_selector("#live:not([hidden])")
        await page.locator("#search").fill("queue:")
        await expect(page.locator("#suggestions li")).to_have_count(5)
        assert await has_no_overflow(page)
        await page.locator("#search").press("Escape")
        await expect(page.get_by_role("listbox")).to_be_hidden()
        await expect(page.locator("#search")).to_have_value("queue:")


@pytest.mark.parametrize("language", WORDS)
async def test_a_view_is_saved_in_this_browser_used_and_forgotten(
    fleet: Admin, browser: Browser, language: str
) -> None:
    words = WORDS[language]
    async with open_page(browser, viewport=NARROW, locale=language) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs?state=discarded&kind=thumbnail&theme=dark&refresh=1")
        await page.get_by_text(words["save_view"]).click()
        box = await page.locator("#views .sheet").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW["width"]
        await page.get_by_label(words["name"], exact=True).fill("<b>broken</b> images")
        await page.keyboard.press("Enter")
        view = page.locator("#views").get_by_role("link", name="<b>broken</b> images")
        await expect(view).to_have_attribute("aria-current", "true")

        await page.goto(f"{fleet.url}/admin/queue/jobs")
        await view.click()
        await expect(page).to_have_url(f"{fleet.url}/admin/queue/jobs?state=discarded&kind=thumbnail")
        async with page.expect_response(re.compile(r"/queue/jobs\?state=discarded")):  # the live view asks again
            await fleet.enqueue(task_type="thumbnail")
        await expect(view).to_be_visible()
        await page.get_by_role("button", name=words["forget"]).click()
        await page.reload()
        await expect(page.locator("#views")).to_be_visible()
        await expect(view).to_have_count(0)


async def test_without_script_fields_suggest_what_is_known_and_no_view_is_promised(
    fleet: Admin, browser: Browser
) -> None:
    async with open_page(browser, java_script_enabled=False) as page:
        await page.goto(f"{fleet.url}/admin/queue/jobs?state=discarded&limit=5")
        await expect(page.locator("#views")).to_be_hidden()
        assert await page.locator("#known-queue option").all_text_contents() == [
            "default", "email", "images", "reports", "webhooks",
        ]  # fmt: skip
        assert "billing" in await page.locator("#known-tag option").all_text_contents()
