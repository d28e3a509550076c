"""Who changed what: entries that are written with the change, each chained to the one before by its digest.

    hash(n) = sha256(hash(n - 1) · entry(n))          entry: the JSON text as it is kept

Whoever changes, removes or slips in an entry breaks the chain there; the head shows that the end was cut off.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from riverrun.database.statements import Query, Steps
from riverrun.job import decode_json
from riverrun.sanitize import clean_json, clean_text

WALKED = 500
LOOKED_AT = 10_000
"""How many entries one statement of a list looks at: few enough for some milliseconds."""
LONGEST_DETAIL = 64 * 1024
LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody has done.

    Attributes:
        actor: Who, such as ``token:deploy`` or ``shell:anna@db1``.
        action: What, such as ``queue.pause``.
        target: To what, such as ``queue:mail``.
        details: What else is kept: address, role, request id, before, after, result.
    """

    actor: str
    action: str
    target: str
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A change as it is kept; ``text`` is what the hash is made of, with the hash before it."""

    number: int
    at: datetime
    actor: str
    action: str
    target: str
    text: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, the newest first, and the number below which to go on; None when there is nothing beyond."""

    entries: list[Entry]
    next_before: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk along the whole chain has found; ``broken_at`` is the first entry that is not as it was written."""

    entries: int
    broken_at: int | None
    reason: str | None


def add(change: Change) -> Steps[int]:
    """Add an entry in the current transaction, as its last statement, and return its number."""
    named = {
        "actor": clean_text(change.actor, LONGEST_NAME),
        "action": change.action,
        "target": clean_text(change.target, LONGEST_NAME),
    }
    kept = {name: clean_json(value, limit=LONGEST_DETAIL) for name, value in change.details.items()}
    details = orjson.dumps({**{name: orjson.Fragment(text) for name, text in kept.items()}, **named}).decode()
    rows = yield Query("audit_add", {**named, "details": details})
    return int(rows[0][0])


def listed(
    *,
    actor: str | None = None,
    action: str | None = None,
    target: str | None = None,
    before: int | None = None,
    rows: int = 50,
    seconds: float = math.inf,
) -> Steps[Page]:
    """Return up to ``rows`` entries, the newest first, older than the number ``before``.

    A search that is not done after ``seconds`` gives what it has found, maybe nothing, and where to go on.
    """
    wanted = {"actor": actor, "action": action, "target": target, "looked": LOOKED_AT}
    until = time.monotonic() + seconds
    entries: list[Entry] = []
    while True:
        found = yield Query("audit_list", {**wanted, "before": before, "rows": rows - len(entries) + 1})
        entries += [_entry(entry) for *entry, matches, _ in found if matches]
        if len(entries) > rows:
            return Page(entries[:rows], entries[rows - 1].number)
        before = next((number for number, *_, last_looked in found if last_looked), None)
        if before is None or time.monotonic() >= until:
            return Page(entries, before)


def walk(after: int) -> Steps[list[Entry]]:
    """Return the next entries after a number, the oldest first; none at the end of the chain."""
    rows = yield Query("audit_walk", {"after": after, "rows": WALKED})
    return [_entry(row) for row in rows]


def verify() -> Steps[Verdict]:
    """Walk along the chain; the first entry that is left is taken as its beginning."""
    ((number, newest),) = yield Query("audit_head")
    walked, last = 0, None
    while entries := (yield from walk(last.number if last else 0)):
        for entry in entries:
            if entry.number > number:
                return Verdict(walked, None, None)  # written since we have begun
            reason = _fault(entry, last)
            if reason is not None:
                return Verdict(walked, entry.number, reason)
            walked, last = walked + 1, entry
    if (last.number if last else 0) != number and (walked or number == 0):
        return Verdict(walked, number, "the newest entries are missing")
    if last is not None and last.hash != newest:
        return Verdict(walked, last.number, "it is not the entry that was written last")
    return Verdict(walked, None, None)


def _fault(entry: Entry, last: Entry | None) -> str | None:
    said = decode_json(entry.text)
    columns = [entry.number, entry.at, entry.actor, entry.action, entry.target]
    said["at"] = datetime.fromisoformat(said["at"])
    if [said.get(name) for name in ("number", "at", "actor", "action", "target")] != columns:
        return "its columns are not what its text says"
    if last is None:
        return None
    if entry.number != last.number + 1:
        return f"the entries between {last.number} and it are missing"
    if hashlib.sha256(last.hash + entry.text.encode()).digest() != entry.hash:
        return "its hash is not that of its text and of the entry before"
    return None


def _entry(row: Sequence[Any]) -> Entry:
    return Entry(*row)
