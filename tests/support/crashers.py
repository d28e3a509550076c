"""Handlers that hurt their process, and some that run beside them."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import signal
import sys
import time
from typing import Any

from psycopg import AsyncConnection

import riverrun
from riverrun import Context


@riverrun.handler("poison")
async def poison() -> None:
    """Take the process down, some time after it began."""
    print("about to fall", file=sys.stderr, flush=True)  # noqa: T201 - to be found in the last words
    await asyncio.sleep(0.05)
    ctypes.string_at(0)


@riverrun.handler("good")
async def good(args: dict[str, Any]) -> None:
    """Take a moment."""
    await asyncio.sleep(args.get("seconds", 0.05))


@riverrun.handler("block_loop", timeout=2)
async def block_loop() -> None:
    """Hold the event loop for ever."""
    time.sleep(3600)


@riverrun.handler("hold_interpreter", timeout=2)
def hold_interpreter() -> None:
    """Hold the interpreter in C for far longer than the limit."""
    re.match(r"(a|aa)+$", "a" * 60 + "b")


@riverrun.handler("sleep_in_thread")
def sleep_in_thread() -> None:
    """Wait in a thread, which nobody can stop."""
    time.sleep(3600)


@riverrun.handler("deaf", timeout=0.5)
async def deaf() -> None:
    """Ignore every order to stop."""
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


@riverrun.handler("pay")
async def pay(args: dict[str, Any], ctx: Context) -> None:
    """Write an effect, complete the job in the same transaction, and be killed once at a moment of choice."""
    async with await AsyncConnection.connect(args["dsn"]) as conn:
        await conn.execute("INSERT INTO effect (job_id) VALUES (%s)", (ctx.job.id,))
        await ctx.complete_in(conn)
        if args["die"] == "before" and "riverrun:crashes" not in ctx.job.metadata:
            os.kill(os.getpid(), signal.SIGKILL)
    if args["die"] == "after":
        os.kill(os.getpid(), signal.SIGKILL)
