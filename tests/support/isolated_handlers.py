"""Handlers that hurt the process they run in; only isolated ones may."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import Any

import riverrun
from riverrun import Cancel, Context, Snooze


@riverrun.handler("isolated_pid", isolation="process")
async def pid(args: dict[str, Any], ctx: Context) -> dict[str, Any]:
    """Say where it runs."""
    ctx.log.warning("said_from_afar", extra={"number": 10**30})
    return {"pid": os.getpid(), "args": args, "attempt": ctx.attempt, "limit": ctx.limit_seconds}


@riverrun.handler("isolated_plain", isolation="process")
def plain(ctx: Context) -> str:
    """Run in a thread of the process, and show the progress until told to stop."""
    ctx.progress(0.5, "half way")
    while not ctx.wait_cancelled(0.05):
        pass
    return "stopped when told to"


@riverrun.handler("isolated_crash", isolation="process")
async def crash(args: dict[str, Any]) -> None:
    """End the process."""
    if "exit" in args:
        os._exit(args["exit"])
    if "noise" in args:
        for descriptor in range(3, 256):
            try:
                os.write(descriptor, b"noise\n")
            except OSError:
                continue
    ctypes.string_at(0) if args.get("segfault") else os.kill(os.getpid(), args.get("signal", signal.SIGKILL))


@riverrun.handler("isolated_spin", isolation="process")
async def spin() -> None:
    """Hold the interpreter, deaf to everything."""
    while True:
        pass


@riverrun.handler("isolated_hog", isolation="process", memory_mb=64)
def hog(args: dict[str, Any]) -> int:
    """Take memory."""
    return len(bytearray(args["megabytes"] * 1024 * 1024))


@riverrun.handler("isolated_sleep", isolation="process")
async def sleep(ctx: Context) -> None:
    """Sleep, and say how it ended."""
    ctx.output("asleep")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        ctx.output("woken")
        raise


@riverrun.handler("isolated_parent", isolation="process")
def parent(ctx: Context) -> None:
    """Start a program and hang."""
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    ctx.log.info("program_started", extra={"program": program.pid})
    time.sleep(60)


@riverrun.handler("isolated_signals", isolation="process")
async def signals(args: dict[str, Any]) -> None:
    """End in one of the ways that are no error."""
    raise Snooze(60) if args.get("snooze") else Cancel("not wanted")


@riverrun.handler("isolated_exit", isolation="process")
def leave() -> None:
    """Try to end the process as a program does."""
    sys.exit(3)
