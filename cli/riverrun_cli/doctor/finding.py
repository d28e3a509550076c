"""One thing that is wrong, in words that mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        check: Which check found it; a stable word for programs.
        severity: ``error``: jobs are lost, late or refused now; ``warning``: they will be, or could be.
        finding: What is the case and what it means.
        mend: The command, the statement or the setting that ends it.
    """

    check: str
    severity: Literal["error", "warning"]
    finding: str
    mend: str


def error(check: str, finding: str, *, mend: str) -> Finding:
    """Return what costs jobs now."""
    return Finding(check, "error", finding, mend)


def warning(check: str, finding: str, *, mend: str) -> Finding:
    """Return what will cost jobs, or could."""
    return Finding(check, "warning", finding, mend)


def span(seconds: float) -> str:
    """Return a length of time for people, such as ``3 min``."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
