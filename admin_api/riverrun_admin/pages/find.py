"""Turn the words of the search box into an address: an id leads to its job, anything else to a filtered list."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

from riverrun.job_query import LONGEST


async def find(request: web.Request) -> web.Response:
    """Go where the search leads: ``17``, ``kind:email state:discarded``, or ``email`` alone."""
    asked = request.query.get("q", "")[:LONGEST].strip()
    if asked.isascii() and asked.isdigit():
        way = f"../queue/jobs/{asked}"
    else:
        way = f"../queue/jobs?{urlencode({'filter': asked})}" if asked else "../queue/jobs"
    return web.Response(status=303, headers={"Location": way})
