"""One path, two readers: programs get JSON, browsers get a page."""

from __future__ import annotations

from aiohttp import web

from riverrun_admin.problems import Problem

_JSON = ("application/json", "application/problem+json")
_HTML = ("text/html", "application/xhtml+xml")


def prefers_html(request: web.Request) -> bool:
    """Whether the sender would rather have a page than JSON; ``*/*``, as curl sends it, means JSON."""
    ranges = _ranges(request.headers.get("Accept", ""))
    return _quality(ranges, _HTML, wildcard=False) > _quality(ranges, _JSON, wildcard=False)


def accepts_page_or_json(request: web.Request) -> bool:
    """Return ``prefers_html``.

    Raises:
        Problem: 406, the sender takes neither.
    """
    header = request.headers.get("Accept", "")
    ranges = _ranges(header)
    if ranges and not max(_quality(ranges, _JSON, wildcard=True), _quality(ranges, _HTML, wildcard=True)):
        raise Problem(406, "not-acceptable", "this path has application/json and text/html")
    return prefers_html(request)


def _ranges(header: str) -> dict[str, float]:
    """Return the media ranges of an Accept header and how much each is wanted, 0 to 1."""
    ranges = {}
    for part in header.split(",")[:50]:
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name:
            ranges[name] = next((_number(each[2:]) for each in parameters if each.startswith("q=")), 1.0)
    return ranges


def _quality(ranges: dict[str, float], types: tuple[str, ...], *, wildcard: bool) -> float:
    wanted = [*types, *((f"{types[0].partition('/')[0]}/*", "*/*") if wildcard else ())]
    return max(ranges.get(name, 0.0) for name in wanted)


def _number(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0
