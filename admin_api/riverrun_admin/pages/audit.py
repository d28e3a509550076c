"""Who changed what: the audit log, each with what it made different, and whether the record is intact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from aiohttp import web

from riverrun.job import decode_json
from riverrun.store.audit import Entry, Page, Verdict
from riverrun_admin.documents import encoded, safe
from riverrun_admin.pages.render import page

_PATHS = {
    "job": "queue/jobs/{}",
    "queue": "page/queue?name={}",
    "handler": "page/handler?task_type={}",
    "schedule": "page/schedule?name={}",
    "bulk": "queue/bulk/{}",
}
"""Where the subject of a change is shown, by the first word of its name."""

_OF_THE_FORM = frozenset({"back", "notice"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a change was about, as JSON before and after; none where nothing was said."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry, ready to be shown; ``path`` leads to what was changed, if a page has it."""

    entry: Entry
    role: str
    address: str
    request_id: str
    path: str | None
    differences: Sequence[Difference]


def audit_page(request: web.Request, found: Page, *, rows: int, verdict: Verdict | None = None) -> web.Response:
    """Return a page of the record: what was ``found`` of the ``rows`` that were asked for."""
    filters = {name: request.query.get(name, "") for name in ("actor", "action", "target")}
    return page(
        request,
        "audit",
        entries=[_shown(entry) for entry in found.entries],
        next_cursor=found.next_before,
        searching=found.next_before is not None and len(found.entries) < rows,
        on_first_page=not request.query.get("cursor"),
        filters=filters,
        filtered=any(filters.values()),
        verdict=verdict,
    )


def _shown(entry: Entry) -> Shown:
    said = decode_json(entry.text)
    noun, _, name = entry.target.partition(":")
    known = _PATHS.get(noun) if name not in ("", "*") else None
    return Shown(
        entry=entry,
        role=str(said.get("role", "")),
        address=str(said.get("address", "")),
        request_id=str(said.get("request_id", "")),
        path=None if known is None else known.format(quote_plus(name)),
        differences=_differences(said.get("before"), said.get("after")),
    )


def _differences(before: Any, after: Any) -> list[Difference]:
    old, new = (part if isinstance(part, Mapping) else {} for part in (before, after))
    names = [name for name in dict.fromkeys([*new, *old]) if name not in _OF_THE_FORM]
    return [Difference(name, _json(old, name), _json(new, name)) for name in names]


def _json(members: Mapping[str, Any], name: str) -> str | None:
    return encoded(safe(members[name])).decode().strip() if name in members else None
