"""One line that says which jobs, for the pages, the API and the shell alike.

    state:discarded,retryable kind:email queue:mail tag:vip priority:1 id:12345 error:"timed out"
    fingerprint:0123456789abcdef created:>-1h finalized:<2030-01-31 args.user.id:7 meta.tenant:"acme" email

A term is a name, a colon and a value; a comma, or the same name once more, means "or", different names mean "and". A
word without a name is an id or a kind. A kind, queue or tag keeps to the rule for such names, so that slips are seen;
in quotes, as in JSON, it is any text. Everything is bounded before it is looked at, and no value is a pattern.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from riverrun import names
from riverrun.durations import parse_duration
from riverrun.errors import InvalidInput
from riverrun.job import JobState
from riverrun.sanitize import UNSTORABLE
from riverrun.store.listing import JobFilter

LONGEST = 2_000
MOST_TERMS = 50
MOST_VALUES = 100
DEEPEST = 10
_LONGEST_NUMBER = 300
_TERM = re.compile(r'\s*(?:([A-Za-z_][\w.-]*):)?((?:"(?:[^"\\]|\\.)*+"|[^\s"])++)')
_VALUE = re.compile(r'(?:"(?:[^"\\]|\\.)*+"|[^",])*+')
_PATH = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ALLOWED = (
    "terms such as state:retryable kind:email queue:mail tag:vip priority:1 id:12 error:words created:>-1h args.x:1"
)


def parse(text: str, field: str = "filter", *, now: datetime | None = None) -> JobFilter:
    """Return the jobs that ``text`` means.

    Args:
        text: The line; an empty one means all jobs.
        field: What the line is called, for errors.
        now: The moment that ``-1h`` is an hour before; by default the present one.

    Raises:
        InvalidInput: It is too long, or a term is not known or has a value that is not allowed.
    """
    if len(text) > LONGEST or UNSTORABLE.search(text):
        raise InvalidInput(field, text, f"at most {LONGEST} characters of text", code="length")
    reading = _Reading(field, now or datetime.now(UTC))
    position, terms = 0, 0
    while position < len(text.rstrip()):
        found = _TERM.match(text, position)
        terms += 1
        if found is None or terms > MOST_TERMS:
            raise InvalidInput(field, text[position:], f"up to {MOST_TERMS} {_ALLOWED}", code="format")
        reading.take((found[1] or "").lower() if "." not in (found[1] or "") else found[1], found[2])
        position = found.end()
    return reading.filter()


def merged(first: JobFilter, second: JobFilter, field: str = "filter") -> JobFilter:
    """Return a filter that both have a part in.

    Raises:
        InvalidInput: Both say something about the same thing.
    """
    said = {each.name: getattr(second, each.name) for each in fields(second) if getattr(second, each.name)}
    for name in said:
        if getattr(first, name):
            raise InvalidInput(field, name, "each thing to be said once, in the filter or beside it", code="format")
    return replace(first, **said)


def term(name: str, values: Iterable[object]) -> str:
    """Return the term that `parse` reads as ``values``; in quotes stands what the rule of its name does not allow."""
    return f"{name}:{','.join(_written(name, str(value)) for value in values)}"


def failed_alike(kind: str, fingerprint: str) -> str:
    """Return the line for all jobs of a group of failures: those of its kind whose last failure says the same."""
    states = term("state", (JobState.DISCARDED, JobState.RETRYABLE))
    return " ".join((states, term("kind", [kind]), term("fingerprint", [fingerprint])))


def without(text: str, name: str) -> str:
    """Return the line without its terms of one name, such as ``state``; `parse` has read it before."""
    kept = [found for found in _TERM.finditer(text) if (found[1] or "").lower() != name]
    return " ".join(found[0].strip() for found in kept)


class _Reading:
    """What was read of a line so far."""

    def __init__(self, field: str, now: datetime) -> None:
        self._field = field
        self._now = now
        self._several: dict[str, dict[Any, None]] = {}
        self._single: dict[str, Any] = {}
        self._inside: dict[str, dict[str, Any]] = {"args": {}, "metadata": {}}

    def take(self, name: str, value: str) -> None:
        """Take one term in."""
        head, _, path = name.partition(".")
        if path and head in ("args", "meta", "metadata"):
            self._contain("args" if head == "args" else "metadata", path, value)
        elif name in ("created", "scheduled", "finalized"):
            self._bound(name, value)
        elif name == "error":
            self._once(name, _unquoted(value))
        elif name in _SEVERAL:
            for part in _parts(value):
                self._add(_SEVERAL[name][0], _checked(name, part, self._place(name)))
        elif not name:
            if value.endswith(":"):  # rather a term and a space than such a kind, which kind:"…" names
                raise InvalidInput(self._place(value[:-1]), None, "a value right behind the colon", code="required")
            name = "id" if value.isascii() and value.isdigit() else "kind"
            self._add(_SEVERAL[name][0], _checked(name, value, self._field))
        else:
            raise InvalidInput(self._field, name, _ALLOWED, code="unknown")

    def filter(self) -> JobFilter:
        """Return what the whole line means."""
        said: dict[str, Any] = {name: tuple(values) for name, values in self._several.items()} | self._single
        said |= {name: json.dumps(value, ensure_ascii=False) for name, value in self._inside.items() if value}
        return JobFilter(**said)

    def _place(self, name: str) -> str:
        return f"{self._field}: {name}" if self._field else name

    def _add(self, kind: str, value: object) -> None:
        values = self._several.setdefault(kind, {})
        values[value] = None
        if len(values) > MOST_VALUES:
            raise InvalidInput(self._place(kind), len(values), f"at most {MOST_VALUES} values", code="length")

    def _once(self, name: str, value: object) -> None:
        if name in self._single:
            raise InvalidInput(self._place(name), value, "one such term", code="format")
        self._single[name] = value

    def _bound(self, name: str, value: str) -> None:
        if value[:1] not in (">", "<"):
            allowed = "> or < and a time, such as >-1h, <2030-01-31 or >2030-01-31T08:00:00Z"
            raise InvalidInput(self._place(name), value, allowed, code="format")
        side = "after" if value[0] == ">" else "before"
        self._once(f"{name}_{side}", self._moment(name, value[1:]))

    def _moment(self, name: str, text: str) -> datetime:
        try:
            if text.startswith("-"):
                return self._now - parse_duration(text[1:], self._place(name))
            if _DATE.fullmatch(text):
                return datetime.fromisoformat(text).replace(tzinfo=UTC)
            moment = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            moment = None
        if moment is None or moment.utcoffset() is None:
            allowed = "a time ago such as -1h, a day, or a time with a zone"
            raise InvalidInput(self._place(name), text, allowed, code="format")
        return moment

    def _contain(self, part: str, path: str, value: str) -> None:
        names_in = path.split(".")
        if not _PATH.fullmatch(path) or len(names_in) > DEEPEST:
            raise InvalidInput(self._place(part), path, f"up to {DEEPEST} names with dots between them", code="format")
        place = self._inside[part]
        for name in names_in[:-1]:
            inner = place.setdefault(name, {})
            if not isinstance(inner, dict):
                raise InvalidInput(self._place(part), path, "a member that no other term has given a value")
            place = inner
        if names_in[-1] in place:
            raise InvalidInput(self._place(part), path, "one value for each member", code="format")
        place[names_in[-1]] = _json_value(value)


_SEVERAL: Mapping[str, tuple[str, Callable[[object, str], object]]] = {
    "state": ("states", names.check_state),
    "queue": ("queues", names.check_any_queue),
    "kind": ("kinds", names.check_kind),
    "tag": ("tags", names.check_tag),
    "priority": ("priorities", names.priority_in_text),
    "id": ("ids", names.check_job_id),
    "fingerprint": ("fingerprints", names.check_fingerprint),
}


_ANY_TEXT = frozenset({"kind", "queue", "tag"})
"""Terms whose values other clients make, by a rule of their own or none."""


def _parts(value: str) -> Iterator[str]:
    """Yield what stands between commas; one within quotes is none."""
    position = 0
    while position <= len(value):
        found = _VALUE.match(value, position)
        assert found is not None  # noqa: S101 - it matches nothing as well
        yield found[0]
        position = found.end() + 1


def _checked(name: str, part: str, field: str) -> object:
    said = _unquoted(part)
    check = names.check_looked_up if said != part and name in _ANY_TEXT else _SEVERAL[name][1]
    return check(said, field)


def _written(name: str, text: str) -> str:
    try:
        _SEVERAL[name][1](text, name)
    except InvalidInput:
        return json.dumps(text, ensure_ascii=False)
    return text


def _unquoted(text: str) -> str:
    value = _json_value(text)
    return value if text.startswith('"') and isinstance(value, str) else text


def _json_value(text: str) -> object:
    """Return a number, true, false, null or a quoted text that can be stored; anything else is text as it stands."""
    if text[:1] in "[{" or (len(text) > _LONGEST_NUMBER and not text.startswith('"')):
        return text
    try:
        value = json.loads(text, parse_constant=lambda word: word, strict=False)
    except ValueError:
        return text
    if isinstance(value, str) and UNSTORABLE.search(value):
        return text
    return text if isinstance(value, float) and text.strip("-0123456789.") else value
