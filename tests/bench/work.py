"""What a statement makes the server do: pages it touches and log it writes, which the speed of no machine changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeVar

from psycopg import Connection

from bench.statements import timed
from riverrun.database.statements import Steps

T = TypeVar("T")

_FLUSH = "SELECT pg_stat_force_next_flush()"
_SO_FAR = """
SELECT io.hits, io.reads, log.wal_fpi, log.wal_bytes
FROM (
    SELECT sum(hits) AS hits, sum(read_bytes) / current_setting('block_size')::int AS reads
    FROM pg_stat_get_backend_io(%(pid)s)
    WHERE object = 'relation'
) AS io, pg_stat_get_backend_wal(%(pid)s) AS log
"""


@dataclass(frozen=True, slots=True)
class Work:
    """What was done for one statement, its commit included.

    Attributes:
        milliseconds: How long the client waited.
        touched: Pages of tables and indexes that were looked at, each as often as it was.
        read: Those of them that were not in the server's own memory.
        images: Pages that were written whole to the log, because it was the first change since a checkpoint.
        log_kb: What was written to the log, these pages included.
    """

    milliseconds: float
    touched: float
    read: float
    images: float
    log_kb: float


class Watch:
    """Measures statements of other sessions.

    Args:
        conn: A session of its own, which is not measured; of PostgreSQL 18 or later, which counts by session.
    """

    def __init__(self, conn: Connection[Any]) -> None:
        self._conn = conn

    def work(self, conn: Connection[Any], ask: Callable[[], Steps[T]]) -> tuple[Work, T]:
        """Run an operation on ``conn``; return what it made the server do, and its result."""
        before = self._so_far(conn)
        milliseconds, result = timed(conn, ask())
        hits, reads, images, size = (
            float(now - earlier) for now, earlier in zip(self._so_far(conn), before, strict=True)
        )
        return Work(milliseconds, hits + reads, reads, images, size / 1000), result

    def _so_far(self, conn: Connection[Any]) -> tuple[Any, ...]:
        conn.execute(_FLUSH)  # a session says what it did once a second, unless it is told to say it now
        return self._conn.execute(_SO_FAR, {"pid": conn.info.backend_pid}).fetchone() or ()


def middle(found: Sequence[Work]) -> dict[str, float]:
    """Return the median of each figure, and the longest time."""
    figures = ("milliseconds", "touched", "read", "images", "log_kb")
    medians = {name: round(median(getattr(each, name) for each in found), 2) for name in figures}
    return {**medians, "highest": round(max(each.milliseconds for each in found), 2)}
