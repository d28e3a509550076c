"""Which handler runs the jobs of a kind, as registered while the fleet runs."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal, cast

import orjson

from riverrun.calls import NAMES, call_settings
from riverrun.database.statements import Query, Row, Steps
from riverrun.egress import ANYWHERE, Egress
from riverrun.errors import Conflict, NotFound, StaleRevision
from riverrun.job import decode_json
from riverrun.registration import Registration, registration
from riverrun.store import handler_health
from riverrun.store.listing import CAP
from riverrun.webhook import Credentials, new_secret

_WRITES_TRIED = 5

MOST_QUARANTINED = 5
"""Jobs of one kind that may be quarantined within ten minutes before the kind is paused."""


BreakerState = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class HandlerHealth:
    """How the service of a handler is, as the executors of the fleet found it.

    Attributes:
        breaker: ``closed``: called; ``open``: left alone; ``half_open``: tried with one job.
        reason: Why it is not closed, or why the handler was paused.
        misconfigured: What the service answers that only a mistake in the configuration explains; empty: nothing.
        failed_probes: How often in a row an open breaker was tried in vain.
        probe_in: Seconds until an open breaker is tried; not above zero when it is due.
        throttled_for: Seconds for which the service has asked to be left alone, counted as `probe_in`.
        changed_at: When any of this changed.
    """

    breaker: BreakerState = "closed"
    reason: str = ""
    misconfigured: str = ""
    failed_probes: int = 0
    probe_in: float | None = None
    throttled_for: float | None = None
    changed_at: datetime | None = None


WELL = HandlerHealth()


@dataclass(frozen=True, slots=True)
class RegisteredHandler:
    """A registered handler; ``revision`` changes with every change of it, but not with its health."""

    registration: Registration
    paused_at: datetime | None
    revision: int
    created_at: datetime
    updated_at: datetime
    signed: bool = False
    health: HandlerHealth = field(default=WELL, compare=False)

    @property
    def kind(self) -> str:
        """The kind of job it handles."""
        return self.registration.kind


def handlers(kinds: Collection[str] | None = None) -> Steps[list[RegisteredHandler]]:
    """Return the registered handlers, or those of ``kinds`` that are registered, by kind."""
    rows = yield Query("handler_list", {"kinds": None if kinds is None else list(kinds)})
    return [_handler(row) for row in rows]


def retry_count(kind: str) -> Steps[int | None]:
    """Return how often jobs of ``kind`` are to be retried; ``None`` when nothing is registered about that."""
    found = yield from handlers([kind])
    return found[0].registration.retry_count if found else None


def handler(kind: str) -> Steps[RegisteredHandler]:
    """Return the handler of ``kind``.

    Raises:
        NotFound: None is registered.
    """
    found = yield from handlers([kind])
    if not found:
        raise NotFound("handler", kind)
    return found[0]


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of a registration.

    Attributes:
        handler: The handler as it is now.
        created: Whether it is new.
        signing_secret: Of a new HTTP handler; it is shown this once.
    """

    handler: RegisteredHandler
    created: bool
    signing_secret: str | None = None


def register(new: Registration, *, replace: bool = False, revision: int | None = None) -> Steps[Registered]:
    """Register a handler; one that is there and the same is left as it is.

    Args:
        new: What is said about it.
        replace: Also when the kind has a different handler.
        revision: Do it only if this is still the revision of the handler that the kind has.

    Raises:
        Conflict: The kind has a different handler, and ``replace`` is false.
        NotFound: ``revision`` is given, and the kind has no handler.
        StaleRevision: ``revision`` is not its revision any more.
    """
    if revision is not None:
        _refuse_stale((yield from handler(new.kind)), revision)
    secret = new_secret() if new.handler_type == "http" else None
    rows = yield Query("handler_register", {**_params(new), "secret": secret, "replace": replace, "revision": revision})
    created = bool(rows and rows[0][0])
    if rows and not created:
        yield Query("handler_health_forget", {"kind": new.kind})
    there = yield from handlers([new.kind])
    if not there or not _says(there[0].registration, new):
        if there:
            _refuse_stale(there[0], revision)
        raise Conflict(f"the kind {new.kind} has a different handler; update it, or register with upsert=true")
    return Registered(there[0], created, secret if created else None)


def credentials(kinds: Collection[str] | None = None) -> Steps[dict[str, Credentials]]:
    """Return what the calls of handlers are signed with, by kind; it must be handed to nobody."""
    rows = yield Query("handler_credentials", {"kinds": None if kinds is None else list(kinds)})
    return {row[0]: Credentials(tuple(secret for secret in row[1:3] if secret), row[3]) for row in rows}


def announce(schemas: Mapping[str, str | None]) -> Steps[set[str]]:
    """Make known that executors here have handlers for kinds; return those that nobody had registered.

    What was registered for a kind stays as it is, but for what the arguments of a local handler look like: that the
    handler itself knows best.

    Args:
        schemas: The kinds, each with the JSON Schema of its arguments as text, if its handler says what it takes.
    """
    kinds = sorted(schemas)
    rows = yield Query("handler_announce", {"kinds": kinds, "args_schemas": [schemas[kind] for kind in kinds]})
    return {kind for kind, is_new in rows if is_new}


def pause_crashing(kind: str) -> Steps[bool]:
    """Pause ``kind`` if more than `MOST_QUARANTINED` of its jobs were quarantined lately; return whether it was."""
    return bool((yield Query("handler_pause_crashing", {"kind": kind, "most": MOST_QUARANTINED})))


def resume(kind: str, *, revision: int | None = None) -> Steps[bool]:
    """Let jobs of ``kind`` be claimed again; return whether it was paused.

    Args:
        kind: The kind of job.
        revision: Do it only if this is still the handler's revision.

    Raises:
        NotFound: Nothing is registered for it.
        StaleRevision: ``revision`` is not its revision any more.
    """
    was_paused = yield from _pausing("handler_resume", kind, revision, {})
    yield Query("handler_health_forget", {"kind": kind})
    return was_paused


def pause(kind: str, *, reason: str = "", revision: int | None = None) -> Steps[bool]:
    """Let no job of ``kind`` be claimed until it is resumed; return whether it was not paused before.

    Args:
        kind: The kind of job.
        reason: Why, if nobody asked for it.
        revision: Do it only if this is still the handler's revision.

    Raises:
        NotFound: Nothing is registered for it.
        StaleRevision: ``revision`` is not its revision any more.
    """
    return (yield from _pausing("handler_pause", kind, revision, {"reason": handler_health.kept(reason)}))


def _pausing(statement: str, kind: str, revision: int | None, said: Mapping[str, str]) -> Steps[bool]:
    """Pause or resume; return whether it was the other way before."""
    rows = yield Query(statement, {"kind": kind, "revision": revision, **said})
    if not rows:
        raise NotFound("handler", kind)
    changed, before = rows[0]
    if revision is not None and before != revision:
        raise StaleRevision(f"the handler of {kind}", before)
    return bool(changed)


def rotate_secret(kind: str, *, keep: timedelta, revision: int | None = None) -> Steps[str]:
    """Give the handler of ``kind`` a new signing secret and return it; it is shown this once.

    Args:
        kind: The kind of job.
        keep: For how long requests are signed with the present secret too.
        revision: Do it only if this is still the handler's revision.

    Raises:
        NotFound: None is registered.
        Conflict: It is no HTTP handler, so nothing is signed.
        StaleRevision: ``revision`` is not its revision any more.
    """
    known = yield from handler(kind)
    if known.registration.handler_type != "http":
        raise Conflict(f"only requests to HTTP handlers are signed; the handler of {kind} is none")
    secret = new_secret()
    params = {"kind": kind, "secret": secret, "keep_seconds": keep.total_seconds(), "revision": revision}
    if not (yield Query("handler_rotate_secret", params)):
        known = yield from handler(kind)
        raise StaleRevision(f"the handler of {kind}", known.revision)
    return secret


def update(
    kind: str, changes: Mapping[str, object], *, revision: int | None = None, egress: Egress = ANYWHERE
) -> Steps[RegisteredHandler]:
    """Change some of what is said about the handler of ``kind`` and return it.

    Args:
        kind: The kind of job.
        changes: Arguments of `registration.registration` and fields of `CallSettings` by name; what is absent stays.
        revision: Change it only if this is still its revision.
        egress: Where services may live.

    Raises:
        NotFound: None is registered.
        InvalidInput: A change, or the handler as it would be with it, is not allowed.
        StaleRevision: ``revision`` is not its revision any more.
    """
    for _ in range(_WRITES_TRIED):
        known = yield from handler(kind)
        _refuse_stale(known, revision)
        changed = _changed(known.registration, changes, egress)
        if changed == known.registration:
            return known
        if (yield Query("handler_update", {**_params(changed), "revision": known.revision})):
            yield Query("handler_health_forget", {"kind": kind})
            return (yield from handler(kind))
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


def _refuse_stale(known: RegisteredHandler, revision: int | None) -> None:
    if revision is not None and known.revision != revision:
        raise StaleRevision(f"the handler of {known.kind}", known.revision)


def _says(known: Registration, new: Registration) -> bool:
    """Return whether ``known`` is what ``new`` says; one that is silent about the arguments agrees with any schema."""
    return known == (new if new.args_schema is not None else replace(new, args_schema=known.args_schema))


def _changed(known: Registration, changes: Mapping[str, object], egress: Egress) -> Registration:
    return registration(
        known.kind,
        changes.get("handler_name", known.handler_name),
        changes.get("handler_type", known.handler_type),
        endpoint_url=changes.get("endpoint_url", known.endpoint_url),
        timeout=changes.get("timeout", known.timeout_seconds),
        retry_count=changes.get("retry_count", known.retry_count),
        description=changes.get("description", known.description),
        args_schema=changes.get("args_schema", known.args_schema),
        settings=known.settings.document() | {name: value for name, value in changes.items() if name in NAMES},
        egress=egress,
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
        "settings": orjson.dumps(given.settings.document()).decode(),
        "args_schema": None if given.args_schema is None else json.dumps(given.args_schema),
    }


def _handler(row: Row) -> RegisteredHandler:
    # Fields of a later release, written during an upgrade, must not keep this one from working.
    settings = {name: value for name, value in orjson.loads(row[7]).items() if name in NAMES}
    schema = None if row[20] is None else decode_json(row[20])
    said = replace(Registration(*row[:7]), settings=call_settings(settings), args_schema=schema)
    health = HandlerHealth(cast("BreakerState", row[13]), *row[14:20])
    return replace(RegisteredHandler(said, *row[8:13]), health=health)
