"""How numbers, times and JSON look on a page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from markupsafe import Markup

from riverrun.store.listing import Count

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_LONGEST_INDENTED = 200_000


def number(value: int | Count | None) -> str:
    """Return a number with separators: ``1,234``, ``10,000+`` when it is at least that, ``≈ 5,000`` for an estimate."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    match value.relation:
        case "eq":
            return f"{value.value:,}"
        case "gte":
            return f"{value.value:,}+"
        case "approx":
            return f"≈ {value.value:,}"


def percent(share: float | None) -> str:
    """Return a part of a whole as a percentage: ``0 %``, ``0.4 %``, ``37 %``."""
    if share is None:
        return "–"
    value = share * 100
    return f"{value:.1f} %" if 0 < value < 10 else f"{value:.0f} %"


def spans(text: Callable[..., str]) -> Callable[[float | None], str]:
    """Return a filter that shows seconds in their largest fitting unit, such as ``350 ms``, ``42 s`` or ``3 h``."""

    def show(seconds: float | None) -> str:
        if seconds is None:
            return "–"
        if seconds < 1:
            return text("unit.ms", number=f"{seconds * 1000:.0f}")
        for size, unit, limit in ((1, "s", 90), (60, "min", 90), (3600, "h", 48)):
            if seconds < size * limit:
                value = seconds / size
                return text(f"unit.{unit}", number=f"{value:.1f}" if value < 10 and size == 1 else f"{value:.0f}")
        return text("unit.d", number=f"{seconds / 86_400:,.0f}")

    return show


def moments(text: Callable[..., str], now: datetime) -> Callable[[datetime | None], Markup | str]:
    """Return a function that shows a time by its distance from ``now``; who hovers over it sees the time itself."""
    span = spans(text)

    def show(value: datetime | None) -> Markup | str:
        if value is None:
            return "–"
        seconds = (now - value).total_seconds()
        # The clocks of two machines differ: what was a moment ago is never shown as in the future.
        words = text("time.ago", span=span(max(0.0, seconds))) if seconds > -1 else text("time.in", span=span(-seconds))
        exact = value.astimezone(UTC)
        return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
            exact.isoformat(timespec="milliseconds"), exact.strftime("%Y-%m-%d %H:%M:%S"), words
        )

    return show


def indented(text: str) -> str:
    """Return JSON text with line breaks; nothing else changes, so no digit and no escape does.

    Text of more than 200,000 characters comes back as it is.
    """
    if len(text) > _LONGEST_INDENTED:
        return text
    parts: list[str] = []
    depth, previous = 0, ""
    for piece in _TOKENS.findall(text):
        if piece in "]}":
            depth -= 1
            parts += [piece] if previous in ("[", "{") else ["\n", "  " * depth, piece]
        else:
            if previous in ("[", "{", ","):
                parts += ["\n", "  " * depth]
            parts.append(": " if piece == ":" else piece)
            depth += piece in "[{"
        previous = piece
    return "".join(parts)
