"""Endings that the database refuses for now: kept apart, so that all others are written, and tried again ever later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection

from riverrun.reconnect_wait import ReconnectWait
from riverrun_executor.ending import Ending

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)

VALUE_ERRORS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.RaiseException,
)
"""Errors of what is to be stored: without it the ending may be taken."""

_PROCEDURAL, _INTERNAL = "P0", "XX"


def is_about_a_row(error: psycopg.Error, conn: AsyncConnection[Any]) -> bool:
    """Return whether one of the rows that a statement writes may have caused an error, so that others can be written.

    What is wrong with a connection, a lock, a time limit, a privilege or a prepared statement would meet each row alone
    as well. A code that PostgreSQL itself does not know was raised by somebody's trigger.
    """
    if conn.closed:
        return False
    code = error.sqlstate or ""
    of_a_trigger = code[:2] == _PROCEDURAL or (code != "" and type(error) is psycopg.DatabaseError)
    return isinstance(error, VALUE_ERRORS) or of_a_trigger or code[:2] == _INTERNAL


class RefusedEndings:
    """The endings of an executor that wait for another try.

    Args:
        again: Takes an ending whose pause is over.
    """

    def __init__(self, again: Callable[[Ending], None]) -> None:
        self._again = again
        self._waiting: dict[int, Ending] = {}
        self._backoffs: dict[int, ReconnectWait] = {}

    @property
    def endings(self) -> Collection[Ending]:
        """The endings that wait."""
        return self._waiting.values()

    def add(self, ending: Ending) -> float:
        """Keep an ending, and return for how many seconds."""
        job_id = ending.job.id
        seconds = self._backoffs.setdefault(job_id, ReconnectWait(FIRST_PAUSE, LONGEST_PAUSE)).next()
        self._waiting[job_id] = ending
        asyncio.get_running_loop().call_later(seconds, self._release, ending)
        return seconds

    def forget(self, job_id: int) -> Ending | None:
        """Note that the ending of a job was written or overtaken; return it if it waits."""
        self._backoffs.pop(job_id, None)
        return self._waiting.pop(job_id, None)

    def _release(self, ending: Ending) -> None:
        if self._waiting.get(ending.job.id) is ending:
            del self._waiting[ending.job.id]
            self._again(ending)
