"""Turn the words of the search box into an address: an id leads to its job, anything else to a filtered list."""

from __future__ import annotations

from urllib.parse import urlencode

from aiohttp import web

FIELDS = ("id", "kind", "queue", "state", "tag", "priority")
_LONGEST = 1_000


async def find(request: web.Request) -> web.Response:
    """Go where the search leads: ``17``, ``kind:email state:discarded``, or ``email`` alone."""
    asked = request.query.get("q", "")[:_LONGEST].split()
    if len(asked) == 1 and asked[0].isascii() and asked[0].isdigit():
        raise web.HTTPSeeOther(f"../queue/jobs/{asked[0]}")
    query = [_field(word) for word in asked]
    raise web.HTTPSeeOther(f"../queue/jobs?{urlencode([*query, ('q', ' '.join(asked))])}")


def _field(word: str) -> tuple[str, str]:
    name, colon, value = word.partition(":")
    return (name, value) if colon and name in FIELDS else ("kind", word)
