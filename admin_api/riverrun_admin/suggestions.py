"""What a filter can say at present: its terms, and the values that are known of some."""

from __future__ import annotations

from aiohttp import web

from riverrun.job import JobState
from riverrun.store import words
from riverrun_admin import answers
from riverrun_admin.scope import handlers_seen, queues_seen, snapshot_seen
from riverrun_admin.services import services

TERMS = (
    "state",
    "kind",
    "queue",
    "tag",
    "priority",
    "id",
    "error",
    "fingerprint",
    "created",
    "scheduled",
    "finalized",
    "args",
    "meta",
)
KNOWN_SECONDS = 15.0


async def terms(request: web.Request) -> answers.Terms:
    """Return the names of terms, and the values of the sender's own queues."""
    recent, database, seen = services(request).recent, services(request).database, await queues_seen(request)
    found = await recent.get(("words", seen), lambda: database.run(words.known(queues=seen)), seconds=KNOWN_SECONDS)
    handled = {handler.kind for handler in await handlers_seen(request)}
    return {
        "terms": TERMS,
        "state": [str(state) for state in JobState],
        "kind": sorted({*found.kinds, *handled})[: words.MOST],
        "queue": [queue.name for queue in (await snapshot_seen(request)).statistics.queues],
        "tag": found.tags,
    }
