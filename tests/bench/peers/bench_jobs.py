"""The handlers that Riverrun's executors run while they are compared."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from driver import Report

from riverrun import handler

report = Report()


@handler("noop")
async def noop(args: dict[str, Any]) -> None:
    """Do nothing."""
    report.handled(args.get("sent"))


@handler("sleep")
async def sleep(args: dict[str, Any]) -> None:
    """Wait 10 ms, as for a network."""
    report.handled(args.get("sent"))
    await asyncio.sleep(0.01)


@handler("thread")
def thread(args: dict[str, Any]) -> None:
    """Wait 1 ms in a plain function, which runs in a thread."""
    report.handled(args.get("sent"))
    time.sleep(0.001)
