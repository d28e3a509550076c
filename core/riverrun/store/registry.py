"""Which handler runs the jobs of a kind, as registered while the fleet runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from riverrun.database.statements import Query, Row, Steps
from riverrun.errors import Conflict, NotFound, StaleRevision
from riverrun.registration import Registration, registration
from riverrun.store.listing import CAP

_WRITES_TRIED = 5

MOST_QUARANTINED = 5
"""Jobs of one kind that may be quarantined within ten minutes before the kind is paused."""


@dataclass(frozen=True, slots=True)
class RegisteredHandler:
    """A registered handler; ``revision`` changes with every change of it."""

    registration: Registration
    paused_at: datetime | None
    revision: int
    created_at: datetime
    updated_at: datetime

    @property
    def kind(self) -> str:
        """The kind of job it handles."""
        return self.registration.kind


def handlers(kinds: Collection[str] | None = None) -> Steps[list[RegisteredHandler]]:
    """Return the registered handlers, or those of ``kinds`` that are registered, by kind."""
    rows = yield Query("handler_list", {"kinds": None if kinds is None else list(kinds)})
    return [_handler(row) for row in rows]


def handler(kind: str) -> Steps[RegisteredHandler]:
    """Return the handler of ``kind``.

    Raises:
        NotFound: None is registered.
    """
    found = yield from handlers([kind])
    if not found:
        raise NotFound("handler", kind)
    return found[0]


def register(new: Registration, *, replace: bool = False) -> Steps[tuple[RegisteredHandler, bool]]:
    """Register a handler; return it and whether it is new. One that is there and the same is left as it is.

    Raises:
        Conflict: The kind has a different handler, and ``replace`` is false.
    """
    rows = yield Query("handler_register", {**_params(new), "replace": replace})
    if rows:
        return _handler(rows[0]), bool(rows[0][-1])
    there = yield from handlers([new.kind])
    if not there or there[0].registration != new:
        raise Conflict(f"the kind {new.kind} has a different handler; update it, or register with upsert=true")
    return there[0], False


def announce(kinds: Collection[str]) -> Steps[set[str]]:
    """Make known that executors here have handlers for ``kinds``; return those that nobody had registered.

    What was registered for a kind stays as it is.
    """
    rows = yield Query("handler_announce", {"kinds": sorted(kinds)})
    return {row[0] for row in rows}


def pause_crashing(kind: str) -> Steps[bool]:
    """Pause ``kind`` if more than `MOST_QUARANTINED` of its jobs were quarantined lately; return whether it was."""
    return bool((yield Query("handler_pause_crashing", {"kind": kind, "most": MOST_QUARANTINED})))


def resume(kind: str) -> Steps[bool]:
    """Let jobs of ``kind`` be claimed again; return whether it was paused.

    Raises:
        NotFound: Nothing is registered for it.
    """
    rows = yield Query("handler_resume", {"kind": kind})
    if not rows:
        raise NotFound("handler", kind)
    return bool(rows[0][0])


def update(kind: str, changes: Mapping[str, object], *, revision: int | None = None) -> Steps[RegisteredHandler]:
    """Change some of what is said about the handler of ``kind`` and return it.

    Args:
        kind: The kind of job.
        changes: Arguments of `registration.registration` by name; what is absent stays.
        revision: Change it only if this is still its revision.

    Raises:
        NotFound: None is registered.
        InvalidInput: A change, or the handler as it would be with it, is not allowed.
        StaleRevision: ``revision`` is not its revision any more.
    """
    for _ in range(_WRITES_TRIED):
        known = yield from handler(kind)
        if revision is not None and known.revision != revision:
            raise StaleRevision(f"the handler of {kind}", known.revision)
        changed = _changed(known.registration, changes)
        if changed == known.registration:
            return known
        rows = yield Query("handler_update", {**_params(changed), "revision": known.revision})
        if rows:
            return _handler(rows[0])
    raise Conflict(f"the handler of {kind} is being changed by many at once; try again")


def delete(kind: str, *, revision: int | None = None, force: bool = False) -> Steps[None]:
    """Forget the handler of ``kind``.

    Args:
        kind: The kind of job.
        revision: Delete it only if this is still its revision.
        force: Delete it although unfinished jobs need it.

    Raises:
        NotFound: None is registered.
        StaleRevision: ``revision`` is not its revision any more.
        Conflict: Unfinished jobs need it, and ``force`` is false.
    """
    rows = yield Query("handler_delete", {"kind": kind, "revision": revision, "force": force, "cap": CAP + 1})
    if not rows:
        raise NotFound("handler", kind)
    present, unfinished, deleted = rows[0]
    if deleted:
        return
    if revision is not None and present != revision:
        raise StaleRevision(f"the handler of {kind}", present)
    jobs = f"more than {CAP}" if unfinished > CAP else str(unfinished)
    raise Conflict(f"{jobs} unfinished jobs of kind {kind} need this handler; add force=true to delete it all the same")


def _changed(known: Registration, changes: Mapping[str, object]) -> Registration:
    return registration(
        known.kind,
        changes.get("handler_name", known.handler_name),
        changes.get("handler_type", known.handler_type),
        endpoint_url=changes.get("endpoint_url", known.endpoint_url),
        timeout=changes.get("timeout", known.timeout_seconds),
        retry_count=changes.get("retry_count", known.retry_count),
        description=changes.get("description", known.description),
    )


def _params(given: Registration) -> dict[str, object]:
    return {
        "kind": given.kind,
        "handler_name": given.handler_name,
        "handler_type": given.handler_type,
        "endpoint_url": given.endpoint_url,
        "timeout_seconds": given.timeout_seconds,
        "retry_count": given.retry_count,
        "description": given.description,
    }


def _handler(row: Row) -> RegisteredHandler:
    return RegisteredHandler(Registration(*row[:7]), *row[7:11])
