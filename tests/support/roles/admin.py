"""An admin process that writes each second what it would answer to a scrape, beside the configuration."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from riverrun.process import RoleContext, run_role
from riverrun.telemetry.host_totals import render


async def main(context: RoleContext) -> None:
    context.ready()
    while not context.draining.is_set():
        if context.config_path is not None:
            scraped = render(await context.host_metrics())
            context.config_path.with_name("metrics").write_bytes(scraped)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await context.draining.wait()


if __name__ == "__main__":
    raise SystemExit(run_role("admin", main))
