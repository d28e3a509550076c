"""Breaks a connection that gives no answer in time.

A server that is stuck, or cut off behind a proxy that still acknowledges what is sent, never answers and never closes;
no timeout of the server or of the kernel helps. Giving up the wait alone would not do either: the driver would wait
for the end of the statement. So the socket is shut down, and the driver finds the connection lost.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection

SLOWEST = 50_000
"""Bytes that any network carries within a second; what is sent is given more time by it."""


@contextmanager
def deadline(conn: AsyncConnection[Any], seconds: float) -> Iterator[None]:
    """Let what is asked of ``conn`` in this block fail with `psycopg.OperationalError` after ``seconds``."""
    timer = asyncio.get_running_loop().call_later(seconds, _break, conn)
    try:
        yield
    finally:
        timer.cancel()


def _break(conn: AsyncConnection[Any]) -> None:
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)
