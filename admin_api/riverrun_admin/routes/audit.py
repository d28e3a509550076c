"""Show who changed what, hand the whole record out, and verify that nobody has tampered with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from aiohttp import web

from riverrun.store import audit
from riverrun_admin.database import Database
from riverrun_admin.documents import encoded, entry_document, respond
from riverrun_admin.filters import number_of, refuse_unknown, rows_wanted, words_of
from riverrun_admin.negotiation import accepts_page_or_json
from riverrun_admin.pages.audit import audit_page
from riverrun_admin.pages.view import CHOICES
from riverrun_admin.reading import SEARCH_SECONDS
from riverrun_admin.sending import attached, send_pieces
from riverrun_admin.services import services
from riverrun_admin.stream import NDJSON

NEWEST_SHOWN = 20
_SHOWN = frozenset({"lenient", "notice", *CHOICES})
_FILTERS = frozenset({"actor", "action", "target", "limit", "cursor"}) | _SHOWN


async def list_entries(request: web.Request) -> web.Response:
    """List changes, the newest first."""
    refuse_unknown(request, _FILTERS)
    wants_page = accepts_page_or_json(request)
    rows = rows_wanted(request)
    wanted = {name: words_of(request, name) for name in ("actor", "action", "target")}
    steps = audit.listed(**wanted, before=number_of(request, "cursor"), rows=rows, seconds=SEARCH_SECONDS)
    found = await services(request).database.run(steps)
    if wants_page:
        return audit_page(request, found, rows=rows)
    more = None if found.next_before is None else str(found.next_before)
    return respond({"data": [entry_document(entry) for entry in found.entries], "next_cursor": more})


async def export(request: web.Request) -> web.StreamResponse:
    """Stream the whole record, the oldest first, a line each, with what is needed to verify it elsewhere."""
    refuse_unknown(request, frozenset({"lenient"}))
    return await send_pieces(request, _walked(services(request).database), attached(NDJSON, "riverrun-audit.ndjson"))


async def _walked(database: Database) -> AsyncIterator[bytes]:
    entries = await database.run(audit.walk(0))
    while entries:
        yield b"".join(encoded(entry_document(entry)) for entry in entries)
        entries = await database.run(audit.walk(entries[-1].number))


async def verify(request: web.Request) -> web.Response:
    """Say whether every entry is as it was written."""
    refuse_unknown(request, _SHOWN)
    wants_page, database = accepts_page_or_json(request), services(request).database
    verdict = await database.run(audit.verify())
    if wants_page:
        newest = await database.run(audit.listed(rows=NEWEST_SHOWN))
        return audit_page(request, replace(newest, next_before=None), rows=NEWEST_SHOWN, verdict=verdict)
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
