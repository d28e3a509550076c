"""Stream what changes to pages that watch, as server-sent events."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from riverrun.errors import DatabaseUnavailable, NotFound
from riverrun_admin.events import Reader
from riverrun_admin.problems import Problem
from riverrun_admin.scope import topics_seen
from riverrun_admin.services import services
from riverrun_admin.topics import topics_wanted

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy that collects before it sends would make the stream useless
}
LONGEST_WRITE_SECONDS = 30.0
CHECK_SECONDS = 5.0
"""How often is asked whether the reader may still see what they watch."""


async def events(request: web.Request) -> web.StreamResponse:
    """Stream the topics that the query names until the reader leaves or the process is about to."""
    wanted = topics_wanted(request)
    topics = await topics_seen(request, wanted)
    with services(request).events.subscribe(topics, request.headers.get("Last-Event-ID")) as reader:
        response = web.StreamResponse(headers=_HEADERS)
        await response.prepare(request)
        tasks = [
            asyncio.create_task(_send(reader, response), name="event stream"),
            asyncio.create_task(_until_refused(request, wanted), name="rights to an event stream"),
            asyncio.create_task(services(request).context.draining.wait(), name="end of event stream"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return response


async def _until_refused(request: web.Request, wanted: frozenset[str]) -> None:
    """Return when the reader may not see this any more: a token has ended, or a job went to a queue of others."""
    with suppress(Problem, NotFound):
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            with suppress(DatabaseUnavailable):  # nobody knows, and the stream tells nothing meanwhile
                await services(request).door.admit(request)
                await topics_seen(request, wanted, before=True)


async def _send(reader: Reader, response: web.StreamResponse) -> None:
    # A reader that takes nothing for so long, or is gone, is given up; it comes back by itself.
    with suppress(TimeoutError, ConnectionError):
        async for data in reader.events():
            async with asyncio.timeout(LONGEST_WRITE_SECONDS):
                await response.write(data)


ROUTES = (web.get("/admin/queue/events", events),)
