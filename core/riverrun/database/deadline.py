"""Breaks a connection that gives no answer in time.

A server that is stuck, or cut off behind a proxy that still acknowledges what is sent, never answers and never closes;
no timeout of the server or of the kernel helps. Giving up the wait alone would not do either: the driver would wait
for the end of the statement. So the socket is shut down, and the driver finds the connection lost.

What silences one connection of a process mostly silences the others as well. So when one has not answered in time,
those are given up with it that have waited for half of their own time, instead of one after the other.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection

SLOWEST = 50_000
"""Bytes that any network carries within a second; what is sent is given more time by it."""


@dataclass(eq=False, slots=True)
class _Wait:
    """An answer that is overdue ``seconds`` after it ``began`` to be waited for."""

    conn: AsyncConnection[Any]
    began: float
    seconds: float


_waits: set[_Wait] = set()


@contextmanager
def deadline(conn: AsyncConnection[Any], seconds: float, *, alone: bool = False) -> Iterator[None]:
    """Let what is asked of ``conn`` in this block fail with `psycopg.OperationalError` after ``seconds``.

    After half of them it fails as well when an answer to another connection is overdue; ``alone``: for a statement that
    takes so long by nature, neither does that, nor do others fail with it.
    """
    loop = asyncio.get_running_loop()
    wait = _Wait(conn, loop.time(), seconds)
    timer = loop.call_later(seconds, _give_up, wait)
    if not alone:
        _waits.add(wait)
    try:
        yield
    finally:
        timer.cancel()
        _waits.discard(wait)


def _give_up(overdue: _Wait) -> None:
    now = overdue.began + overdue.seconds
    neighbours = _waits - {overdue} if overdue in _waits else ()
    for wait in (overdue, *(each for each in neighbours if now - each.began >= each.seconds / 2)):
        _break(wait.conn)


def _break(conn: AsyncConnection[Any]) -> None:
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)
