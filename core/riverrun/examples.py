"""Handlers to try Riverrun with; ``config.example.yaml`` names this module.

email  {"to": "ada@example.com", "subject": "Hello"}   pretend to send an e-mail
echo   {"any": ["arguments"]}                          return the arguments as the job's output
sleep  {"seconds": 10}                                 sleep, showing the progress
count  {"to": 1000000}                                 count in a thread
fail   {"message": "no luck"}                          fail, to watch what happens then
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from riverrun.context import Context
from riverrun.handlers import handler


@dataclass
class Email:
    """Arguments of an ``email`` job."""

    to: str
    subject: str = ""
    body: str = ""


@handler("email")
async def send_email(email: Email, ctx: Context) -> dict[str, str]:
    """Pretend to send an e-mail: nothing leaves this machine."""
    ctx.log.info("email_sent", extra={"characters": len(email.body)})
    return {"status": "sent"}


@handler("echo")
async def echo(args: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments as the job's output."""
    return args


@dataclass
class Nap:
    """Arguments of a ``sleep`` job."""

    seconds: float = 1.0


@handler("sleep", timeout=3600)
async def sleep(nap: Nap, ctx: Context) -> None:
    """Sleep, showing the progress."""
    end = time.monotonic() + nap.seconds
    while (left := end - time.monotonic()) > 0:
        ctx.progress(max(0.0, 1 - left / nap.seconds))
        await asyncio.sleep(min(left, 0.5))


@dataclass
class Count:
    """Arguments of a ``count`` job."""

    to: int = 10


@handler("count")
def count(args: Count, ctx: Context) -> dict[str, int]:
    """Count in a plain function, which runs in a thread, and stop when told to."""
    for number in range(args.to):
        if number % 1000 == 0:
            if ctx.cancelled:
                return {"counted": number}
            ctx.progress(number / args.to)
    return {"counted": max(args.to, 0)}


@dataclass
class Failure:
    """Arguments of a ``fail`` job."""

    message: str = "this job always fails"


@handler("fail")
async def fail(failure: Failure) -> None:
    """Fail, to watch what happens then."""
    raise RuntimeError(failure.message)
