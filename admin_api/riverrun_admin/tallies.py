"""Records what happens too often for an entry each: enqueued jobs and refused requests, one entry for many of a kind.

    add ─▶ counted by who, from where, what ─▶ every five seconds: an entry with the number for each that is due

An entry costs a lock that all who are recorded share, so that one for each enqueued job would be the limit of
enqueueing. What a process has counted and not yet written is lost when it is killed; the jobs themselves are there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NoReturn

from aiohttp import web

from riverrun.errors import RiverrunError
from riverrun.settings.admin import AdminSettings
from riverrun.store import audit
from riverrun.store.audit import Change
from riverrun_admin.callers import NOBODY, address_of, caller_of, is_known
from riverrun_admin.database import Database

log = logging.getLogger(__name__)

WRITE_SECONDS = 5.0
REFUSED_SECONDS = 60.0
"""Who is refused again and again is told of at once, and then once in this time."""

MOST_KINDS = 200
"""How many are counted apart; whatever comes beyond them is counted together."""


@dataclass(frozen=True, slots=True)
class Happening:
    """What is counted: the same done by the same to the same from the same place."""

    actor: str
    role: str
    address: str
    action: str
    target: str
    result: str
    about: str = ""


_OTHERS = Happening("others", "", "", "", "", "")


@dataclass(slots=True)
class _Tally:
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    times: int = 0
    due: float = 0.0
    rest: float = 0.0


class Tallies:
    """Counts in this process, and writes down what is due."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: dict[Happening, _Tally] = {}

    def add(self, what: Happening, *, times: int = 1, rest: float = 0.0) -> None:
        """Count something; after an entry about it there is none for ``rest`` seconds."""
        if what not in self._counted and len(self._counted) >= MOST_KINDS:
            what = replace(_OTHERS, action=what.action, result=what.result)
        tally = self._counted.setdefault(what, _Tally(rest=rest))
        if not tally.times:
            tally.since = datetime.now(UTC)
        tally.times += times

    async def run(self) -> NoReturn:
        """Write what is due every five seconds, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            await self.write()

    async def write(self, *, everything: bool = False) -> None:
        """Write what is due, or everything at the end; while the database is away it goes on counting."""
        now = time.monotonic()
        due = {what: tally for what, tally in self._counted.items() if everything or tally.due <= now}
        written = {what: tally.times for what, tally in due.items()}
        try:
            await self._add([_change(what, tally) for what, tally in due.items() if tally.times])
        except RiverrunError as error:
            log.warning("audit_not_written", extra={"entries": len(due), "error": str(error)})
            return
        for what, tally in due.items():
            tally.times -= written[what]
            tally.due = now + tally.rest
            if not tally.times and not (tally.rest and written[what]):
                del self._counted[what]

    async def _add(self, changes: list[Change]) -> None:
        if not changes:
            return
        async with self._database.connection() as conn, conn.transaction():
            for change in changes:
                await self._database.statements.run(conn, audit.add(change))


def enqueued(request: web.Request, admin: AdminSettings, *, queue: str, kind: str) -> Happening:
    """Return that the sender enqueues jobs of a kind into a queue."""
    caller = caller_of(request)
    return Happening(
        caller.actor, caller.role, address_of(request, admin), "queue.enqueue", f"queue:{queue}", "ok", kind
    )


def refused(request: web.Request, admin: AdminSettings, code: str) -> Happening:
    """Return that the sender may not do what they wanted, for a reason that ``code`` names; no token is told."""
    caller = caller_of(request) if is_known(request) else NOBODY
    resource = request.match_info.route.resource
    target = f"{request.method} {resource.canonical}" if resource is not None else ""
    return Happening(caller.actor, caller.role, address_of(request, admin), "access.refused", target, code)


def _change(what: Happening, tally: _Tally) -> Change:
    counted = {"since": tally.since.isoformat(timespec="milliseconds"), "times": tally.times}
    after = {"task_type": what.about, **counted} if what.about else counted
    details = {"role": what.role, "address": what.address, "result": what.result, "after": after}
    return Change(what.actor, what.action, what.target, details)
