"""Read the query of a job list: repeated parameters mean "or", different ones "and"."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from riverrun import job_query, names
from riverrun.errors import InvalidInput
from riverrun.json_input import check_args_text
from riverrun.operations import check_order
from riverrun.sanitize import UNSTORABLE
from riverrun.store import listing
from riverrun.store.listing import JobFilter
from riverrun_admin.pages.view import CHOICES
from riverrun_admin.rules import check_time

T = TypeVar("T")

MOST_ROWS = 200
USUAL_ROWS = 50
_FILTERS = frozenset(
    {
        "filter", "state", "queue", "kind", "tag", "tags_all", "metadata", "priority", "id", "created_after",
        "created_before",
    }
)  # fmt: skip
_OTHERS = frozenset({"lenient", "notice", *CHOICES})
PAGING = frozenset({"limit", "cursor", "order"})
"""What the query of a list may say besides its filter."""
_TERMS = ("state", "queue", "kind", "tag", "priority", "id")
_BOUNDS = {"created_after": ">", "created_before": "<"}
_MOST_VALUES = 100
_LONGEST_WORDS = 255


def job_filter(request: web.Request, *, also: frozenset[str] = PAGING) -> JobFilter:
    """Return which jobs the query asks for; an empty value, as a form sends it, says nothing.

    Args:
        request: Whose query it is.
        also: Parameters that are about something else.

    Raises:
        InvalidInput: A parameter is not known, or a value not allowed; the field is ``?name``.
    """
    refuse_unknown(request, _FILTERS | _OTHERS | also)
    line = job_query.parse(request.query.get("filter", ""), "?filter")
    beside = JobFilter(
        states=_values(request, "state", names.check_state),
        queues=_values(request, "queue", names.check_looked_up),
        kinds=_values(request, "kind", names.check_looked_up),
        tags=_values(request, "tag", names.check_looked_up),
        tags_all=_values(request, "tags_all", names.check_looked_up),
        metadata=_single(request, "metadata", check_args_text),
        priorities=_values(request, "priority", names.priority_in_text),
        ids=_values(request, "id", names.check_job_id),
        created_after=_single(request, "created_after", check_time),
        created_before=_single(request, "created_before", check_time),
    )
    return job_query.merged(line, beside, "?filter")


def filter_line(request: web.Request, *, also: frozenset[str] = PAGING) -> str:
    """Return what the query of a list asks for as one line, which `riverrun.job_query.parse` reads.

    Raises:
        InvalidInput: As `job_filter`; or a parameter has no term that says the same, or the line is too long.
    """
    job_filter(request, also=also)
    query = request.query
    for name in ("tags_all", "metadata"):
        if query.get(name):
            raise InvalidInput(f"?{name}", query[name], "a term of the filter in its place", code="unknown")
    terms = [query.get("filter", "").strip()]
    given = {name: [value for value in query.getall(name, []) if value] for name in _TERMS}
    terms += [job_query.term(name, values) for name, values in given.items() if values]
    terms += [f"created:{sign}{query[name].replace(' ', 'T')}" for name, sign in _BOUNDS.items() if query.get(name)]
    line = " ".join(filter(None, terms))
    job_query.parse(line, "?filter")
    return line


def order_wanted(request: web.Request) -> listing.Order | None:
    """Return in which order the jobs shall come; None: as such jobs are looked for.

    Raises:
        InvalidInput: ``order`` is something else.
    """
    return check_order(request.query.get("order") or None, "?order")


def refuse_unknown(request: web.Request, known: frozenset[str]) -> None:
    """Refuse a parameter that is not known, unless the sender asked for leniency.

    Raises:
        InvalidInput: Names it.
    """
    if is_lenient(request):
        return
    for name in request.query:
        if name not in known:
            allowed = f"one of {', '.join(sorted(known))}"
            raise InvalidInput(f"?{name[:80]}", request.query[name], allowed, code="unknown")


def is_lenient(request: web.Request) -> bool:
    """Whether names that are not known shall be ignored."""
    return request.query.get("lenient") == "true"


def flag(request: web.Request, name: str) -> bool:
    """Return a parameter that is ``true`` or ``false``, which is also what its absence means.

    Raises:
        InvalidInput: It is something else.
    """
    value = request.query.get(name, "false")
    if value not in ("true", "false"):
        raise InvalidInput(f"?{name}", value, "true or false", code="format")
    return value == "true"


def rows_wanted(request: web.Request) -> int:
    """Return how many rows a page shall have, 1 to 200.

    Raises:
        InvalidInput: ``limit`` is something else.
    """
    text = request.query.get("limit") or str(USUAL_ROWS)
    allowed = f"a whole number from 1 to {MOST_ROWS}"
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidInput("?limit", text, allowed, code="format")
    if not 1 <= int(text) <= MOST_ROWS:
        raise InvalidInput("?limit", int(text), allowed)
    return int(text)


def words_of(request: web.Request, name: str) -> str | None:
    """Return a text that is compared as it stands; None when there is none.

    Raises:
        InvalidInput: It is too long, or has characters that PostgreSQL does not store.
    """
    text = request.query.get(name)
    if text and (len(text) > _LONGEST_WORDS or UNSTORABLE.search(text)):
        raise InvalidInput(f"?{name}", text, f"at most {_LONGEST_WORDS} characters of text", code="format")
    return text or None


def number_of(request: web.Request, name: str) -> int | None:
    """Return a cursor that is a whole number; None when there is none.

    Raises:
        InvalidInput: It is something else.
    """
    text = request.query.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidInput("cursor", text, "the next_cursor of an earlier page", code="cursor")
    return int(text)


def _values(request: web.Request, name: str, check: Callable[[object, str], T]) -> tuple[T, ...]:
    given = [value for value in request.query.getall(name, []) if value]
    if len(given) > _MOST_VALUES:
        raise InvalidInput(f"?{name}", len(given), f"at most {_MOST_VALUES} values", code="length")
    return tuple(dict.fromkeys(check(value, f"?{name}") for value in given))


def _single(request: web.Request, name: str, check: Callable[[object, str], T]) -> T | None:
    values = _values(request, name, check)
    if len(values) > 1:
        raise InvalidInput(f"?{name}", len(values), "one value", code="length")
    return values[0] if values else None
