"""Handlers that say what they do to a witness no fault touches, and that misbehave when their arguments say so."""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg

import riverrun
from riverrun import Context

BEAT_SECONDS = 0.2
EXECUTOR = f"{os.environ.get('FAULT_HOST', '?')}:{os.getpid()}"


@cache
def _witness() -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(os.environ["FAULT_HISTORY"], autocommit=True, prepare_threshold=0)


def say(ctx: Context, phase: str) -> None:
    """Write down that this attempt is at ``phase``."""
    _witness().execute(
        "INSERT INTO effect (job_id, attempt, attempted_us, executor, phase) VALUES (%s, %s, %s, %s, %s)",
        (ctx.job.id, ctx.job.attempt, ctx.job.attempted_us, EXECUTOR, phase),
    )


@contextmanager
def told(ctx: Context) -> Iterator[None]:
    """Say when the attempt begins and how it ends."""
    say(ctx, "begin")
    try:
        yield
    except asyncio.CancelledError:
        say(ctx, "stopped")
        raise
    except BaseException:
        say(ctx, "failed")
        raise
    say(ctx, "done")


@riverrun.handler("work")
async def work(args: dict[str, Any], ctx: Context) -> None:
    """Take ``ms`` milliseconds."""
    with told(ctx):
        await asyncio.sleep(args.get("ms", 5) / 1000)


@riverrun.handler("long", timeout=300)
async def long(args: dict[str, Any], ctx: Context) -> None:
    """Take ``ms`` milliseconds and say again and again that it works."""
    with told(ctx):
        until = time.monotonic() + args["ms"] / 1000
        while time.monotonic() < until:
            await asyncio.sleep(BEAT_SECONDS)
            say(ctx, "beat")


@riverrun.handler("stuck", timeout=300)
async def stuck(args: dict[str, Any], ctx: Context) -> None:
    """Take ``ms`` milliseconds, whoever wants it to stop."""
    say(ctx, "begin")
    until = time.monotonic() + args["ms"] / 1000
    while time.monotonic() < until:
        try:
            await asyncio.sleep(BEAT_SECONDS)
        except asyncio.CancelledError:
            continue
    say(ctx, "done")


@riverrun.handler("hung", timeout=300)
def hung(args: dict[str, Any], ctx: Context) -> None:
    """Take ``ms`` milliseconds in a thread, and look at nothing."""
    say(ctx, "begin")
    time.sleep(args["ms"] / 1000)


@riverrun.handler("hog")
async def hog(_args: dict[str, Any], ctx: Context) -> None:
    """Take more and more memory."""
    with told(ctx):
        taken = []
        while True:
            taken.append(bytearray(os.urandom(1) * 10_000_000))
            say(ctx, "beat")


@riverrun.handler("failing")
async def failing(_args: dict[str, Any], ctx: Context) -> None:
    """Fail."""
    with told(ctx):
        raise RuntimeError("as asked for")


@riverrun.handler("segfault")
async def segfault(args: dict[str, Any], ctx: Context) -> None:
    """Crash the process the first ``times`` times; a crash gives the attempt back, so attempts do not count them."""
    with told(ctx):
        if ctx.job.metadata.get("riverrun:crashes", 0) < args.get("times", 1):
            ctypes.string_at(0)


@riverrun.handler("hold_gil", timeout=300)
def hold_gil(args: dict[str, Any], ctx: Context) -> None:
    """Let no other Python code of this process run for ``ms`` milliseconds."""
    with told(ctx):
        # PyDLL, unlike CDLL, keeps the interpreter's lock during the call.
        ctypes.PyDLL(None).usleep(args["ms"] * 1000)


@riverrun.handler("block_loop", timeout=300)
async def block_loop(args: dict[str, Any], ctx: Context) -> None:
    """Do in a coroutine what must not be done there."""
    with told(ctx):
        time.sleep(args["ms"] / 1000)


@riverrun.handler("hostile")
async def hostile(args: dict[str, Any], ctx: Context) -> object:
    """Leave what PostgreSQL cannot store, as an error or as an output."""
    with told(ctx):
        deep: object = "x"
        for _ in range(2_000):
            deep = [deep]
        values: dict[str, object] = {
            "nul": "nul \x00 inside", "surrogate": "half \ud800 pair", "nan": {"x": float("nan"), "y": float("inf")},
            "deep": deep, "huge": "x" * 40_000_000, "object": object(), "key": {"nul\x00": 1}, "digits": 10**5000,
        }  # fmt: skip
        value = values[args["value"]]
        if args.get("raise") and ctx.attempt == 1:
            raise RuntimeError(value)
        return value
