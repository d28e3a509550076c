"""The distribution's Chromium, driven without its window."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

PROGRAM = shutil.which("chromium")
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 360, "height": 740}


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Give a browser that is closed when the block ends."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(
            executable_path=PROGRAM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_page(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """Give a page of its own cookies and storage; what goes wrong on it, in script or policy, fails the block."""
    context = await browser.new_context(**{"viewport": WIDE, "locale": "en-US", "timezone_id": "UTC", **options})
    page = await context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if _is_wrong(message) else None)
    try:
        yield page
        assert wrong == []
    finally:
        await context.close()


def _is_wrong(message: Any) -> bool:
    # A refused action, or a stream that this server does not have, is told by the browser and handled by the page.
    return message.type == "error" and "Failed to load resource" not in message.text
