"""Turn the words of the search box into an address: an id leads to its job, anything else to a filtered list."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

_LONGEST = 1_000


async def find(request: web.Request) -> web.Response:
    """Go where the search leads: ``17``, ``kind:email state:discarded``, or ``email`` alone."""
    asked = request.query.get("q", "")[:_LONGEST].split()
    if len(asked) == 1 and asked[0].isascii() and asked[0].isdigit():
        raise web.HTTPSeeOther(f"../queue/jobs/{asked[0]}")
    words = " ".join(word if ":" in word else f"kind:{word}" for word in asked)
    raise web.HTTPSeeOther(f"../queue/jobs?{urlencode({'filter': words})}" if words else "../queue/jobs")
