"""What an operator does about queues, handlers, schedules, operations, changes and tokens, in a browser."""

from __future__ import annotations

import re

from playwright.async_api import Browser, Page, Request, expect
from psycopg import AsyncConnection

from support.admin import Admin
from support.browser import open_page

BEGUN = """
INSERT INTO riverrun_bulk (action, filter, wanted, actor, first_id, last_id, position)
VALUES ('retry', 'kind:nothing_yet', '{"states": [], "kinds": ["nothing_yet"]}', 'token:anna', 1, 1000000000000000, 0)
"""


async def test_a_queue_is_paused_for_a_reason_and_a_while(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/page/queue?name=email")
        await page.get_by_role("button", name="Pause…").click()
        await page.get_by_label("Reason").fill("the relay moves")
        await page.get_by_label("Pause for").select_option(label="60 min")
        await page.get_by_role("button", name="Pause", exact=True).click()

        note = page.locator("[data-key=pause]")
        await expect(note).to_contain_text("the relay moves · local")
        await expect(note).to_contain_text("goes on in 60 min")
        await page.get_by_role("button", name="Resume").click()
        await expect(note).to_have_count(0)


async def test_a_queue_is_cleared_after_its_count_was_confirmed(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/page/queue?name=webhooks")
        await page.get_by_role("button", name="Clear…").click()
        await expect(page.locator(":popover-open h3")).to_contain_text(
            re.compile(r"Delete the \d+ waiting jobs of webhooks")
        )
        await page.get_by_role("button", name="Delete them").click()

        await expect(page).to_have_url(re.compile(r"/queue/bulk/\d+"))
        await expect(page.locator(".title .badge")).to_contain_text("Done", timeout=15_000)


async def test_a_running_operation_moves_and_is_aborted(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/queue/bulk?refresh=1")
        row = page.locator("[data-key=bulk-3]")
        before = await row.locator("progress").get_attribute("value")
        await expect(row.locator("progress")).not_to_have_attribute("value", before or "", timeout=15_000)
        await row.get_by_role("button", name="Abort…").click()
        await page.get_by_role("button", name="Abort", exact=True).click()
        await expect(row).to_contain_text("Aborted")


async def test_the_list_of_operations_moves_by_the_stream_alone(fleet: Admin, browser: Browser, database: str) -> None:
    async with open_page(browser) as page, await AsyncConnection.connect(database, autocommit=True) as conn:
        await conn.execute("UPDATE riverrun_bulk SET state = 'aborted', finished_at = now() WHERE state = 'running'")
        await page.clock.install()
        asked: list[str] = []
        await _open_live(page, f"{fleet.url}/admin/queue/bulk", asked)

        drawn = len(asked)
        await page.clock.run_for(60_000)
        assert len(asked) <= drawn + 1, "nothing has changed since the first event, and nobody asks"

        await conn.execute(BEGUN)
        row = page.locator("[data-key=bulk-4]")
        await expect(row).to_contain_text("Running", timeout=15_000)
        await conn.execute("UPDATE riverrun_bulk SET state = 'done', finished_at = now() WHERE id = 4")
        await expect(row).to_contain_text("Done", timeout=15_000)


async def test_an_operation_waits_with_its_news_while_somebody_is_asked(
    fleet: Admin, browser: Browser, database: str
) -> None:
    async with open_page(browser) as page, await AsyncConnection.connect(database, autocommit=True) as conn:
        await _open_live(page, f"{fleet.url}/admin/queue/bulk/3", [])
        await page.get_by_role("button", name="Abort…").click()
        await conn.execute("UPDATE riverrun_bulk SET state = 'done', finished_at = now() WHERE id = 3")

        await expect(page.locator("#live")).to_have_attribute("data-state", "held", timeout=15_000)
        await expect(page.locator(".title .badge")).to_contain_text("Running")
        await expect(page.get_by_role("button", name="Abort", exact=True)).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator(".title .badge")).to_contain_text("Done")


async def test_a_tab_goes_on_when_the_one_that_streamed_is_closed(
    fleet: Admin, browser: Browser, database: str
) -> None:
    async with open_page(browser) as first, await AsyncConnection.connect(database, autocommit=True) as conn:
        await _open_live(first, f"{fleet.url}/admin/queue/bulk", [])
        second = await first.context.new_page()
        await second.goto(f"{fleet.url}/admin/queue/bulk/3")
        await expect(second.locator(".title .badge")).to_contain_text("Running")
        async with second.expect_request("**/queue/events?*"):
            await first.close()
        await conn.execute("UPDATE riverrun_bulk SET state = 'done', finished_at = now() WHERE id = 3")

        await expect(second.locator(".title .badge")).to_contain_text("Done", timeout=15_000)


async def _open_live(page: Page, url: str, asked: list[str]) -> None:
    """Open a page and wait until its first events have had it drawn anew; note each time that it asks in ``asked``."""

    def draws(request: Request) -> bool:
        return request.url == url and request.resource_type == "fetch"

    page.on("request", lambda request: asked.append(request.url) if draws(request) else None)
    async with page.expect_event("requestfinished", draws):
        await page.goto(url)


async def test_a_token_is_made_copied_and_revoked(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/token/list")
        await page.get_by_role("link", name="New token").click()
        await page.get_by_role("textbox", name="Name Who will use it").fill("night shift")
        await page.get_by_label("Role").select_option("operate")
        await page.get_by_role("button", name="Make the token").click()
        await expect(page.locator("pre")).to_contain_text("rr_")
        await page.get_by_role("link", name="I have copied it").click()

        row = page.locator("tr", has_text="night shift")
        await row.get_by_role("button", name="Revoke…").click()
        await page.get_by_role("button", name="Revoke", exact=True).click()
        await expect(row).to_contain_text("revoked")


async def test_the_record_is_filtered_opened_and_verified(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/audit/list")
        await page.get_by_label("On what").fill("handler:order_webhook")
        await page.get_by_role("button", name="Filter").click()
        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.locator("summary", has_text="timeout").click()
        await expect(page.locator("tbody del")).to_have_text("30")
        await expect(page.locator("tbody ins")).to_have_text("10")
        await page.get_by_role("link", name="Verify").click()
        await expect(page.locator(".note.good")).to_contain_text("The record is intact")


async def test_a_job_is_made_from_what_its_handler_takes(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/page/enqueue")
        await page.get_by_role("link", name="email_send").click()
        await page.get_by_label("user_id").fill("42")
        await page.get_by_label("template").select_option('"invoice"')
        await page.get_by_role("button", name="Enqueue").click()

        await expect(page.locator("h1")).to_contain_text("email_send")
        await expect(page.locator("main pre").first).to_contain_text('"template": "invoice"')


async def test_a_handler_is_tried_and_its_breaker_is_seen(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser) as page:
        await page.goto(f"{fleet.url}/admin/handler/list")
        await expect(page.locator("[data-key=handler-order_webhook]")).to_contain_text("left alone")
        await page.get_by_role("link", name="thumbnail", exact=True).click()
        await page.get_by_role("button", name="Test…").click()
        await page.get_by_role("button", name="Run it").click()
        await expect(page.locator("h1")).to_contain_text("thumbnail")
        await expect(page.locator("#notice")).to_contain_text("The job that tries the handler was enqueued.")


async def test_a_schedule_shows_its_ticks_and_runs_now(fleet: Admin, browser: Browser) -> None:
    async with open_page(browser, locale="zh-CN") as page:
        await page.goto(f"{fleet.url}/admin/schedule/list")
        await expect(page.locator("[data-key=schedule-sync_contacts] .dots a")).to_have_count(8)
        await page.get_by_role("link", name="sync_contacts").first.click()
        await expect(page.locator(".history tbody tr")).to_have_count(40)
        await page.get_by_role("button", name="立即执行").click()
        await expect(page.locator("h1")).to_contain_text("sync_contacts")
