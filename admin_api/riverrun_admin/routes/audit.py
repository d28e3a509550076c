"""Show who changed what, hand the whole record out, and verify that nobody has tampered with it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from riverrun.store import audit
from riverrun_admin.documents import encoded, entry_document, respond
from riverrun_admin.filters import number_of, refuse_unknown, rows_wanted, words_of
from riverrun_admin.negotiation import accepts_page_or_json
from riverrun_admin.pages.audit import audit_page
from riverrun_admin.pages.view import CHOICES
from riverrun_admin.services import services
from riverrun_admin.stream import NDJSON

WRITE_SECONDS = 30.0
NEWEST_SHOWN = 20
_FILE = 'attachment; filename="riverrun-audit.ndjson"'
_SHOWN = frozenset({"lenient", "notice", *CHOICES})
_FILTERS = frozenset({"actor", "action", "target", "limit", "cursor"}) | _SHOWN


async def list_entries(request: web.Request) -> web.Response:
    """List changes, the newest first."""
    refuse_unknown(request, _FILTERS)
    wants_page = accepts_page_or_json(request)
    rows = rows_wanted(request)
    wanted = {name: words_of(request, name) for name in ("actor", "action", "target")}
    steps = audit.listed(**wanted, before=number_of(request, "cursor"), rows=rows + 1)
    found = await services(request).database.run(steps)
    more = str(found[rows - 1].number) if len(found) > rows else None
    if wants_page:
        return audit_page(request, found[:rows], more)
    return respond({"data": [entry_document(entry) for entry in found[:rows]], "next_cursor": more})


async def export(request: web.Request) -> web.StreamResponse:
    """Stream the whole record, the oldest first, a line each, with what is needed to verify it elsewhere."""
    refuse_unknown(request, frozenset({"lenient"}))
    database, after = services(request).database, 0
    response = web.StreamResponse(headers={"Content-Type": NDJSON, "Content-Disposition": _FILE})
    entries = await database.run(audit.walk(after))
    await response.prepare(request)
    while entries:
        async with asyncio.timeout(WRITE_SECONDS):
            await response.write(b"".join(encoded(entry_document(entry)) for entry in entries))
        entries = await database.run(audit.walk(entries[-1].number))
    await response.write_eof()
    return response


async def verify(request: web.Request) -> web.Response:
    """Say whether every entry is as it was written."""
    refuse_unknown(request, _SHOWN)
    wants_page, database = accepts_page_or_json(request), services(request).database
    verdict = await database.run(audit.verify())
    if wants_page:
        return audit_page(request, await database.run(audit.listed(rows=NEWEST_SHOWN)), None, verdict=verdict)
    return respond(
        {
            "intact": verdict.broken_at is None,
            "entries": verdict.entries,
            "broken_at": verdict.broken_at,
            "reason": verdict.reason,
        }
    )


ROUTES = (
    web.get("/admin/audit/list", list_entries),
    web.get("/admin/audit/export", export),
    web.get("/admin/audit/verify", verify),
)
