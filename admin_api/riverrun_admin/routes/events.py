"""Stream what changes to pages that watch, as server-sent events."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from riverrun_admin.events import Reader
from riverrun_admin.scope import topics_seen
from riverrun_admin.services import services
from riverrun_admin.topics import topics_wanted

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy that collects before it sends would make the stream useless
}
LONGEST_WRITE_SECONDS = 30.0


async def events(request: web.Request) -> web.StreamResponse:
    """Stream the topics that the query names until the reader leaves or the process is about to."""
    topics = await topics_seen(request, topics_wanted(request))
    with services(request).events.subscribe(topics, request.headers.get("Last-Event-ID")) as reader:
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(request)
        sending = asyncio.create_task(_send(reader, response), name="event stream")
        leaving = asyncio.create_task(services(request).context.draining.wait(), name="end of event stream")
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
    return response


async def _send(reader: Reader, response: web.StreamResponse) -> None:
    # A reader that takes nothing for so long, or is gone, is given up; it comes back by itself.
    with suppress(TimeoutError, ConnectionError):
        async for data in reader.events():
            async with asyncio.timeout(LONGEST_WRITE_SECONDS):
                await response.write(data)


ROUTES = (web.get("/admin/queue/events", events),)
