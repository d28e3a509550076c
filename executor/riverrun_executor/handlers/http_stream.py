"""Read an answer that arrives line by line while the service works: logs, progress, output, and last the result.

    {"t": "log", "level": "info", "msg": "…"}      {"t": "progress", "pct": 40, "note": "…"}
    {"t": "output", "data": …}                      {"t": "result", "outcome": "complete", …}

Lines of JSON (NDJSON) or the ``data`` of server-sent events. What follows the result is not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp

from riverrun.context import Context
from riverrun.errors import InvalidInput
from riverrun.job import decode_json
from riverrun_executor.handlers.http_failure import NoAnswer
from riverrun_executor.handlers.http_outcome import RESULT_TYPE, Answer
from riverrun_executor.handlers.service_notes import log_line

NDJSON, EVENTS = "application/x-ndjson", "text/event-stream"
STREAMS = frozenset({NDJSON, EVENTS})

MAX_LINE_BYTES = 1024 * 1024
MAX_STREAM_BYTES = 64 * 1024 * 1024
MAX_LOG_LINES = 10_000


async def follow(response: aiohttp.ClientResponse, context: Context, *, idle_seconds: float) -> Answer:
    """Do what the lines say, and return the result as if it had been the whole answer.

    Args:
        response: The answer, its head read.
        context: Takes logs, progress and output.
        idle_seconds: How long the service may be silent.

    Raises:
        NoAnswer: The stream did not keep to its rules, or ended without a result.
    """
    lines = _events if response.content_type == EVENTS else _lines
    logged = 0
    try:
        async for line in lines(response.content, idle_seconds):
            event = _event(line)
            match event.get("t"):
                case "result":
                    return Answer(response.status, {"Content-Type": RESULT_TYPE}, line)
                case "log" if logged < MAX_LOG_LINES:
                    logged += 1
                    log_line(context, event.get("level", "info"), event.get("msg", ""))
                case "progress":
                    _progress(event, context)
                case "output":
                    context.output(event.get("data"))
                case _:
                    pass  # lines of a later release, and logs beyond any use
    except NoAnswer:
        response.close()
        raise
    raise NoAnswer("the answer ended without a result", "incomplete_stream")


async def _lines(content: aiohttp.StreamReader, idle_seconds: float) -> AsyncIterator[bytes]:
    """Yield lines as they become complete, the last one also without an end."""
    rest, seen = bytearray(), 0
    while True:
        try:
            async with asyncio.timeout(idle_seconds):
                part = await content.readany()
        except TimeoutError:
            raise NoAnswer(f"the service was silent for {idle_seconds:g} s", "idle_timeout") from None
        if not part:
            break
        rest += part
        seen += len(part)
        *complete, last = rest.split(b"\n")
        if len(last) > MAX_LINE_BYTES or seen > MAX_STREAM_BYTES:
            raise NoAnswer(
                f"the answer has a line of more than {MAX_LINE_BYTES} bytes or more than {MAX_STREAM_BYTES} bytes",
                "too_large",
            )
        for line in complete:
            if text := bytes(line).strip():
                yield text
        rest = last
    if text := bytes(rest).strip():
        yield text


async def _events(content: aiohttp.StreamReader, idle_seconds: float) -> AsyncIterator[bytes]:
    """Yield the data of server-sent events; each of ours has its data in one line."""
    async for line in _lines(content, idle_seconds):
        if line.startswith(b"data:"):
            yield line[5:].strip()


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = decode_json(line)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise NoAnswer("a line of the answer is not a JSON object", "protocol")
    return event


def _progress(event: dict[str, Any], context: Context) -> None:
    percent = event.get("pct")
    if isinstance(percent, int | float) and not isinstance(percent, bool):
        with suppress(InvalidInput):  # what is no part of a whole is not worth the attempt
            context.progress(percent / 100, str(event.get("note", "")))
