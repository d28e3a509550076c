"""Read all of PostgreSQL's times, more than Python has, so that no row of another client stops a reader."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

from riverrun.moments import EARLIEST, LATEST

_POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECONDS = struct.Struct("!q")
_FIRST, _LAST = ((each - _POSTGRES_EPOCH) // timedelta(microseconds=1) for each in (EARLIEST, LATEST))


class MomentLoader(Loader):
    """Loads ``timestamptz`` in UTC, whatever the zone of the session; what Python has not comes as its nearest."""

    format = Format.BINARY

    def load(self, data: Buffer) -> datetime:
        """Return the time that ``data`` is."""
        (since,) = _MICROSECONDS.unpack(data)
        if since < _FIRST:
            return EARLIEST
        return _POSTGRES_EPOCH + timedelta(microseconds=since) if since < _LAST else LATEST
