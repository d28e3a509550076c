"""How services are, shared by the fleet: written when something changes, read with the registry.

closed ──▶ open ──▶ half_open ──▶ closed
             ▲──────────┘
"""

from __future__ import annotations

from datetime import timedelta

from riverrun.database.statements import Query, Steps
from riverrun.sanitize import clean_text

FIRST_PROBE, LAST_PROBE = timedelta(seconds=5), timedelta(seconds=60)
PROBE_LEASE = timedelta(seconds=30)
"""For so long one executor may try a service before another one may."""

MAX_BYTES = 1_000
"""Of what is kept of a service's words."""


def kept(said: str) -> str:
    """Return what a service said, or is said of it, as it is kept: what PostgreSQL cannot store is replaced."""
    return clean_text(said, MAX_BYTES)


def open_breaker(kind: str, reason: str) -> Steps[bool]:
    """Let the fleet leave a service alone; return whether it was called until now."""
    params = {"kind": kind, "reason": kept(reason), "first_seconds": FIRST_PROBE.total_seconds()}
    return bool((yield Query("handler_breaker_open", params)))


def take_probe(kind: str) -> Steps[bool]:
    """Become the one who tries a service that is left alone, if it is due; return whether that is so."""
    return bool((yield Query("handler_breaker_try", {"kind": kind, "lease_seconds": PROBE_LEASE.total_seconds()})))


def probe_failed(kind: str, reason: str) -> Steps[bool]:
    """Leave a service alone for twice as long as before; return whether that was new."""
    params = {
        "kind": kind,
        "reason": kept(reason),
        "first_seconds": FIRST_PROBE.total_seconds(),
        "last_seconds": LAST_PROBE.total_seconds(),
    }
    return bool((yield Query("handler_breaker_fail", params)))


def close_breaker(kind: str) -> Steps[bool]:
    """Let the fleet call a service again; return whether it was left alone."""
    return bool((yield Query("handler_breaker_close", {"kind": kind})))


def throttle(kind: str, wait: timedelta) -> Steps[bool]:
    """Let the fleet leave a service alone for ``wait``, because it asked for that; return whether that was new."""
    return bool((yield Query("handler_throttle", {"kind": kind, "wait_seconds": wait.total_seconds()})))


def flag(kind: str, misconfigured: str) -> Steps[bool]:
    """Note what only a mistake in the configuration explains; empty: nothing any more. Return whether it was new."""
    return bool((yield Query("handler_flag", {"kind": kind, "misconfigured": kept(misconfigured)})))
