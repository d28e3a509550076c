"""Handlers that the tests enqueue jobs for; each does one thing an attempt can do."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, Connection

import riverrun
from riverrun import Cancel, Context, Retry, Snooze


@dataclass
class Greeting:
    """Typed arguments."""

    name: str
    times: int = 1


class Unhappy(Exception):
    """What a failing handler raises."""


class Gate:
    """Handlers of kind ``gate`` wait for it; each test closes it, in its own event loop, before it begins."""

    def close(self) -> None:
        """Hold handlers back from now on."""
        self._event = asyncio.Event()

    def open(self) -> None:
        """Let handlers pass."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until the gate is open."""
        await self._event.wait()


gate = Gate()


@riverrun.handler("noop")
async def noop() -> None:
    """Do nothing, well."""


@riverrun.handler("greet")
async def greet(greeting: Greeting) -> dict[str, str]:
    """Return an output made of typed arguments."""
    return {"text": f"hello {greeting.name}" * greeting.times}


@riverrun.handler("greet_in_thread")
def greet_in_thread(greeting: Greeting, ctx: Context) -> str:
    """Return an output from a thread."""
    ctx.progress(0.5, "half way")
    return f"hello {greeting.name}"


@riverrun.handler("raw")
async def raw(args: str) -> dict[str, str]:
    """Return the arguments as the text they came in."""
    return {"text": args}


@riverrun.handler("fail")
async def fail(args: dict[str, Any]) -> None:
    """Raise."""
    raise Unhappy(args.get("message", "no"))


@riverrun.handler("snooze")
async def snooze(args: dict[str, Any]) -> Snooze:
    """Ask to be called again."""
    return Snooze(args.get("seconds", 60))


@riverrun.handler("cancel")
async def cancel() -> None:
    """Give the job up."""
    raise Cancel("not wanted any more")


@riverrun.handler("retry")
async def retry(args: dict[str, Any]) -> None:
    """Ask for a retry at a time of its own."""
    raise Retry(args["seconds"], "try later")


@riverrun.handler("gate")
async def wait_at_gate(ctx: Context) -> None:
    """Wait until the test opens the gate."""
    ctx.progress(0.25, "waiting")
    await gate.wait()


@riverrun.handler("peer_work")
async def work_as_the_peer(args: dict[str, Any], ctx: Context) -> None:
    """Do what a client of River in another language does as well, when both work on one queue."""
    if args.get("do") == "resumable":
        ctx.step("first", _nothing)
        await ctx.step("second", _stop_at_seven, ctx)


def _nothing() -> None:
    """Be a step that does nothing."""


async def _stop_at_seven(ctx: Context) -> None:
    if ctx.cursor is None:
        ctx.cursor = {"at": 7}
        raise Unhappy("stop at seven")
    ctx.output(ctx.cursor)


@riverrun.handler("gate_output")
async def leave_output_at_gate() -> str:
    """Leave something when the test opens the gate."""
    await gate.wait()
    return "left"


class Crowd:
    """Handlers of kind ``crowd`` enter it.

    Attributes:
        inside: How many are in it now.
        largest: How many were in it at once, at most.
        passed: How many have left it.
    """

    def __init__(self) -> None:
        self.inside = self.largest = self.passed = 0


crowd = Crowd()


@riverrun.handler("crowd", concurrency=3)
async def enter_crowd(args: dict[str, Any]) -> None:
    """Be in the crowd for a moment, or until the test opens the gate."""
    crowd.inside += 1
    crowd.largest = max(crowd.largest, crowd.inside)
    try:
        await (gate.wait() if args.get("gate") else asyncio.sleep(args.get("seconds", 0.01)))
    finally:
        crowd.inside -= 1
        crowd.passed += 1


@riverrun.handler("stubborn")
async def stubborn() -> str:
    """Finish although it is told to stop."""
    try:
        await gate.wait()
    except asyncio.CancelledError:
        return "finished all the same"
    return "never told"


@riverrun.handler("sulky")
async def sulky() -> None:
    """Fail when told to stop."""
    try:
        await gate.wait()
    except asyncio.CancelledError:
        raise Unhappy("not like this") from None


@riverrun.handler("thread_gate")
def wait_in_thread(ctx: Context) -> str:
    """Wait in a thread until told to stop."""
    while not ctx.wait_cancelled(0.05):
        pass
    return "stopped when told"


@riverrun.handler("slow", timeout=0.2)
async def slow() -> None:
    """Run out of time."""
    await asyncio.sleep(60)


@riverrun.handler("sort")
async def sort(args: dict[str, list[str]]) -> list[str]:
    """Do what the example of River's own Python client asks for."""
    return sorted(args["strings"])


@riverrun.handler("hostile")
async def hostile(args: dict[str, Any]) -> object:
    """Leave what PostgreSQL cannot store."""
    if args.get("raise"):
        raise Unhappy("nul \x00 and half a pair \ud800")
    return {"nan": float("nan"), "nul\x00": "\ud800", "object": object()}


_ODD: dict[str, BaseException] = {
    error_type.__name__: error_type("odd")
    for error_type in (SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, asyncio.CancelledError)
}


@riverrun.handler("odd")
async def odd(args: dict[str, Any]) -> None:
    """Raise what no handler should."""
    raise _ODD[args["error"]].with_traceback(None)


@riverrun.handler("odd_in_thread")
def odd_in_thread(args: dict[str, Any]) -> None:
    """Raise the same in a thread."""
    raise _ODD[args["error"]].with_traceback(None)


@riverrun.handler("huge")
async def huge() -> str:
    """Return more than River keeps."""
    return "x" * (32 * 1024 * 1024)


class Deaf:
    """The handler of kind ``deaf`` does not listen to a cancellation; each test makes it deaf before it begins."""

    def close(self) -> None:
        """Let the handler not return from now on."""
        self.released = threading.Event()

    def open(self) -> None:
        """Let it return."""
        self.released.set()


deaf = Deaf()


@riverrun.handler("deaf", timeout=0.1)
def ignore_everything() -> None:
    """Block a thread, whatever is said."""
    deaf.released.wait(30)


@riverrun.handler("pay")
async def pay(args: dict[str, Any], ctx: Context) -> None:
    """Write an effect and complete the job in one transaction; die, fail or roll back where the arguments say so."""
    async with await AsyncConnection.connect(args["dsn"]) as conn:
        await conn.execute("INSERT INTO effect (job_id) VALUES (%s)", (ctx.job.id,))
        ctx.output("paid")
        await ctx.complete_in(conn)
        _perhaps(args, "before commit", ctx)
        if args.get("roll back"):
            await conn.rollback()
    _perhaps(args, "after commit", ctx)


@riverrun.handler("pay_in_thread")
def pay_in_thread(args: dict[str, Any], ctx: Context) -> None:
    """Do the same in a plain function."""
    with Connection.connect(args["dsn"]) as conn:
        conn.execute("INSERT INTO effect (job_id) VALUES (%s)", (ctx.job.id,))
        ctx.complete_in(conn)
        _perhaps(args, "before commit", ctx)
    _perhaps(args, "after commit", ctx)


def _perhaps(args: dict[str, Any], moment: str, ctx: Context) -> None:
    if args.get("die") == moment and ctx.attempt == 1 and ctx.job.metadata.get("river:rescue_count") is None:
        os.kill(os.getpid(), signal.SIGKILL)
    if args.get("fail") == moment:
        raise Unhappy(moment)


@riverrun.handler("chatter")
async def chatter(args: dict[str, Any], ctx: Context) -> None:
    """Log a line on each side of the gate."""
    ctx.log.warning("before_the_gate", extra={"step": 1})
    await gate.wait()
    ctx.log.warning("behind_the_gate")
    if args.get("fail"):
        raise Unhappy("as asked")


@riverrun.handler("wrong_steps")
async def wrong_steps(args: dict[str, Any], ctx: Context) -> None:
    """Use steps as nobody may."""
    match args["how"]:
        case "without a name":
            ctx.step("", _nothing)
        case "twice":
            ctx.step("one", _nothing)
            ctx.step("one", _nothing)
        case "a cursor outside":
            ctx.cursor = 1
        case "a cursor that is no JSON":
            ctx.step("one", setattr, ctx, "cursor", object())
        case how:
            raise ValueError(how)


@riverrun.handler("in_steps")
async def in_steps(args: dict[str, Any], ctx: Context) -> None:
    """Prepare, copy six rows and finish; fail once behind the row that the arguments name."""
    ran: list[object] = []

    def note(step: object) -> None:
        ran.append(step)
        ctx.update({"ran": ran})

    async def copy() -> None:
        first = 0 if ctx.cursor is None else ctx.cursor + 1
        for row in range(first, 6):
            note(row)
            ctx.cursor = row
            if row == args.get("fail_at") and ctx.attempt == 1:
                raise Unhappy("as asked")

    ctx.step("prepare", note, "prepare")
    await ctx.step("copy", copy)
    ctx.step("finish", note, "finish")
