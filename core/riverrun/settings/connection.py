"""Turns a configured database into a connection string whose every network wait has an end."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict, make_conninfo

TIMEOUTS = {
    "connect_timeout": 5,  # seconds
    "tcp_user_timeout": 3000,  # milliseconds
    "keepalives": 1,
    "keepalives_idle": 2,  # seconds
    "keepalives_interval": 1,  # seconds
    "keepalives_count": 3,
}
"""A peer that vanished without a word is noticed within about five seconds."""


def conninfo_from_url(url: str) -> str:
    """Return ``url``, or any libpq connection string, with `TIMEOUTS` where it says nothing of its own."""
    return make_conninfo("", **(TIMEOUTS | conninfo_to_dict(url)))


def conninfo_from_parts(**parts: str | int | None) -> str:
    """Return libpq's ``parts`` (host, port, user …) and `TIMEOUTS` as a connection string; ``None`` is left out."""
    return make_conninfo("", **TIMEOUTS, **parts)


def url_from_conninfo(conninfo: str) -> str:
    """Return a libpq connection string in the form that ``database_url`` has.

    Every part goes into the query, where a folder of a unix socket may stand as well.
    """
    parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if value is not None}
    return f"postgresql:///?{urlencode(parts, quote_via=quote, safe='/')}"
