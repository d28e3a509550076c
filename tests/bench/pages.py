"""How long the admin process takes for each page and its JSON, and when Chromium paints a page."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from typing import Any

from playwright.async_api import Browser

from bench.admin_process import AdminProcess, admin_process
from riverrun_admin.openapi import is_for_browsers
from riverrun_admin.roles import ROLES
from riverrun_cli.bench.spread import Spread
from support.browser import PROGRAM, chromium

Measured = dict[str, Any]

REPEATS = 5
WITHOUT_END = {"/admin/queue/events", "/admin/audit/export", "/admin/queue/jobs.csv", "/admin/queue/jobs.ndjson"}
ELSEWHERE = {"/admin/login", "/admin/page/find"}
LISTS = (
    *(
        f"/admin/queue/jobs?{query}"
        for query in (
            "state=completed", "state=available", "state=discarded", "state=running", "state=retryable&state=scheduled",
            "queue=bench", "filter=tag:billing", "filter=args.to:nobody", "filter=kind:none",
            "filter=state:completed+kind:none", "filter=state:discarded+error:none", "limit=200",
        )
    ),
    "/admin/queue/dashboard?period=30d", "/admin/page/queue?name=bench",
)  # fmt: skip
PAINTED = (
    "/admin/queue/dashboard", "/admin/queue/jobs", "/admin/queue/jobs?state=completed", "/admin/queue/list",
    "/admin/page/queue?name=bench", "/admin/error/list", "/admin/handler/list", "/admin/schedule/list",
    "/admin/server/list", "/admin/queue/bulk", "/admin/audit/list", "/admin/page/settings",
)  # fmt: skip
_FIRST_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
_BYTES = (
    "() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
    ".filter(each => each.initiatorType != 'fetch').reduce((sum, each) => sum + each.transferSize, 0)"
)


def pages(url: str) -> Measured:
    """Return what each page that needs no more than its address takes, as a page and as JSON."""
    templates = sorted(
        path for method, path in ROLES if method == "GET" and "{" not in path and path not in WITHOUT_END | ELSEWHERE
    )
    paths = [path for path in templates if not is_for_browsers(path) or path.startswith("/admin/page/")]
    with admin_process(url, "bench.forgetful_admin") as admin:
        return {path: {kind: _ask(admin, path, kind) for kind in _kinds(path)} for path in (*paths, *LISTS)}


def _kinds(path: str) -> tuple[str, ...]:
    if path in ("/metrics", "/admin/openapi.json"):
        return ("application/json",)
    return ("text/html",) if path.startswith("/admin/page/") else ("text/html", "application/json")


def _ask(admin: AdminProcess, path: str, accepted: str) -> Measured:
    """Return the time of a few answers that are made anew, after one that is not counted."""
    answers = [_answer(admin, path, accepted) for _ in range(REPEATS + 1)][1:]
    spread = Spread.of([milliseconds for milliseconds, _, _ in answers])
    _, status, size = answers[-1]
    return {"status": status, "bytes": size, "median": round(spread.median, 1), "highest": round(spread.highest, 1)}


def _answer(admin: AdminProcess, path: str, accepted: str) -> tuple[float, int, int]:
    request = urllib.request.Request(admin.url + path, headers={"Accept": accepted})
    started = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            status, size = response.status, len(response.read())
    except urllib.error.HTTPError as error:
        status, size = error.code, len(error.read())
    return (time.perf_counter() - started) * 1000, status, size


def first_paint(url: str) -> Measured:
    """Return when a browser that has seen nothing yet paints each page, and how many bytes it took it."""
    if PROGRAM is None:
        return {}
    with admin_process(url) as admin:
        return asyncio.run(_paint(admin))


async def _paint(admin: AdminProcess) -> Measured:
    async with chromium() as browser:
        return {path: await _painted(browser, admin.url + path) for path in PAINTED}


async def _painted(browser: Browser, address: str) -> Measured:
    moments, size = [], 0
    for _ in range(REPEATS):
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(address, wait_until="load")
        await page.wait_for_function(_FIRST_PAINT)
        moments.append(float(await page.evaluate(_FIRST_PAINT)))
        size = int(await page.evaluate(_BYTES))
        await context.close()
    spread = Spread.of(moments)
    return {"median": round(spread.median), "highest": round(spread.highest), "bytes": size}
