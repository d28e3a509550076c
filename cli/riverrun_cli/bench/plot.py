"""Draws measurements as bars in an SVG file, which every browser and every web page of a repository shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from riverrun_cli.bench.spread import Spread

_WIDTH, _LABELS, _FIGURES, _ROW, _TOP = 760, 200, 150, 30, 52
_OURS, _OTHERS = "#0f766e", "#94a3b8"


@dataclass(frozen=True, slots=True)
class Bar:
    """One row: what was measured, its median as a bar, and a line from the lowest to the highest value.

    Attributes:
        ours: Drawn in the strong colour.
    """

    label: str
    spread: Spread
    ours: bool = True


def bars(title: str, unit: str, rows: Sequence[Bar]) -> str:
    """Return a chart of ``rows``, from top to bottom, as the text of an SVG file."""
    height = _TOP + _ROW * len(rows) + 12
    longest = max((row.spread.highest for row in rows), default=0.0) or 1.0
    scale = (_WIDTH - _LABELS - _FIGURES) / longest
    body = "\n".join(_row(row, _TOP + _ROW * number, scale) for number, row in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="13">\n'
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n'
        f'<text x="12" y="22" font-size="16" font-weight="600" fill="#0f172a">{escape(title)}</text>\n'
        f'<text x="12" y="40" fill="#475569">{escape(unit)}; bar: median, line: lowest to highest</text>\n'
        f"{body}\n</svg>\n"
    )


def figure(value: float) -> str:
    """Return a number with three digits that count, thousands separated."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _row(row: Bar, top: int, scale: float) -> str:
    middle = top + _ROW // 2 - 3
    length, low, high = (
        _LABELS + scale * value for value in (row.spread.median, row.spread.lowest, row.spread.highest)
    )
    colour = _OURS if row.ours else _OTHERS
    return (
        f'<text x="{_LABELS - 8}" y="{middle + 4}" text-anchor="end" fill="#0f172a">{escape(row.label)}</text>'
        f'<rect x="{_LABELS}" y="{top}" width="{length - _LABELS:.1f}" height="{_ROW - 8}" fill="{colour}"/>'
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="#0f172a" stroke-width="2"/>'
        f'<text x="{max(length, high) + 8:.1f}" y="{middle + 4}" fill="#0f172a">{figure(row.spread.median)}</text>'
    )
