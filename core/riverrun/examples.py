"""Handlers to try Riverrun with; ``config.example.yaml`` names this module."""

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
    ctx.log.info("email_sent", extra={"recipient_domain": email.to.rpartition("@")[2]})
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
        ctx.progress(max(0.0, min(1.0, 1 - left / nap.seconds)))
        await asyncio.sleep(min(left, 0.5))


@handler("count")
def count(args: dict[str, Any], ctx: Context) -> dict[str, int]:
    """Count in a plain function, which runs in a thread of its own."""
    total = int(args.get("to", 10))
    for number in range(total):
        if ctx.cancelled:
            return {"counted": number}
        ctx.progress(number / total)
    return {"counted": total}


@handler("fail")
async def fail(args: dict[str, Any]) -> None:
    """Fail, to watch what happens then."""
    raise RuntimeError(str(args.get("message", "this job always fails")))
