"""Handlers with typed arguments; name this module in ``handlers.modules`` and its folder in ``handlers.path``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import riverrun
from riverrun import Cancel, Context, Snooze


@dataclass
class Report:
    """Arguments of a ``report`` job; what does not fit is refused before the handler runs."""

    title: str
    pages: int = 3
    not_before: datetime | None = None


@riverrun.handler("report", timeout=600)
async def write_report(report: Report, ctx: Context) -> dict[str, object]:
    """Write a report, page by page; what is returned is shown with the job as its output."""
    if report.pages > 1000:
        raise Cancel("nobody reads that")  # never tried again
    now = datetime.now(UTC)
    if report.not_before is not None and now < report.not_before:
        return_in = min(report.not_before - now, timedelta(hours=1))
        raise Snooze(return_in)  # tried again later, without using up an attempt

    for page in range(report.pages):
        ctx.progress(page / report.pages, f"page {page + 1} of {report.pages}")
        await asyncio.sleep(0.1)
    ctx.log.info("report_written", extra={"pages": report.pages})
    return {"title": report.title, "pages": report.pages, "attempt": ctx.attempt}


@riverrun.handler("archive")
def archive(args: dict[str, int], ctx: Context) -> dict[str, int]:
    """Run in a thread, because it is a plain function; look now and then whether it should stop."""
    total = args.get("files", 100)
    for done in range(total):
        if ctx.wait_cancelled(0.01):
            return {"archived": done}
    return {"archived": total}
