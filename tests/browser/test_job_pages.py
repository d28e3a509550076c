"""What an operator does about jobs, one and many, in a browser: with the keyboard, on a phone, in both languages."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect
from psycopg import AsyncConnection

from support.admin import Admin
from support.browser import NARROW, open_page
from support.jobs import insert

WORDS = {
    "en-US": {
        "change": "Change this job",
        "wait": "Let it wait for",
        "snooze": "Snooze",
        "snoozed": "The job waits until then.",
        "refused": "is not allowed",
        "edit": "Change it",
        "edited": "The job was changed",
    },
    "zh-CN": {
        "change": "修改此任务",
        "wait": "从现在起延后",
        "snooze": "延后",
        "snoozed": "任务已延后。",
        "refused": "不允许",
        "edit": "修改",
        "edited": "任务已修改",
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
