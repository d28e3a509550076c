"""How a batch of endings is written: in as few statements as possible, and so that none takes its neighbours down."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection

from riverrun.claimed_job import ClaimedJob
from riverrun.database.connect import first_line
from riverrun.database.deadline import SLOWEST, deadline
from riverrun.database.statements import Statements, Steps
from riverrun.job_log import job_fields
from riverrun.outcome import Completed, Failed
from riverrun.retry import RetryPolicy
from riverrun.store import attempts
from riverrun.transition import Finalization, decide, with_notes
from riverrun_executor.ending import Ending
from riverrun_executor.refused import VALUE_ERRORS, is_about_a_row

log = logging.getLogger(__name__)

T = TypeVar("T")

LOCK_SECONDS = 2.5
"""So long the server waits for a table that somebody has locked; rows that are locked keep nobody waiting."""

ANSWER_SECONDS = LOCK_SECONDS + 0.6
"""A connection that is silent for longer is taken for dead. If it was only slow, what it wrote is known to be ours."""

LOCKED, REFUSED = "running", "refused"
"""Stand for the state of a job whose row somebody holds, and of one whose ending the database does not take for now."""

UNSTORABLE = {
    "meaning": "PostgreSQL cannot store what the handler left; the attempt counts as failed",
    "do": "correct the handler's output",
}


class EndingWriter:
    """Writes endings on a connection, as often as it takes.

    Args:
        statements: SQL of the schema.
        incarnation: This executor, as it stands in ``attempted_by``.
        server_id: This host, for log lines.
        backoff_of: Gives the retry policy of a kind.
    """

    def __init__(
        self, *, statements: Statements, incarnation: str, server_id: str, backoff_of: Callable[[str], RetryPolicy]
    ) -> None:
        self._statements = statements
        self._incarnation = incarnation
        self._server_id = server_id
        self._backoff_of = backoff_of
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing

    async def write(self, conn: AsyncConnection[Any], batch: Sequence[Ending]) -> dict[int, str]:
        """Write ``batch`` and return what became of each job, by id.

        Returns:
            The state that a job has reached by its attempt, now or before; `LOCKED` or `REFUSED` where the ending is
            still to be written; nothing of a job that is not the attempt's any more.
        """
        states = await self._halve(conn, batch)
        if len(states) < len(batch):
            states |= await self._own_ends(conn, [ending for ending in batch if ending.job.id not in states])
        return states

    async def _halve(self, conn: AsyncConnection[Any], batch: Sequence[Ending]) -> dict[int, str]:
        """Write ``batch`` and return the state of each job that was still ours, by id.

        An ending that the database refuses must not take its neighbours down: the batch is halved until the one culprit
        is alone.
        """
        try:
            return await self._write_all(conn, batch)
        except psycopg.Error as error:
            if not is_about_a_row(error, conn):
                raise
            if len(batch) == 1:
                return await self._write_refused(conn, batch[0], error)
            half = len(batch) // 2
            return {**await self._halve(conn, batch[:half]), **await self._halve(conn, batch[half:])}

    async def _write_refused(self, conn: AsyncConnection[Any], ending: Ending, error: psycopg.Error) -> dict[int, str]:
        """Write an ending without what it wanted to store, if that was refused; else leave it for later."""
        said = first_line(error)  # the other lines may have the row, and with it the arguments
        if isinstance(error, VALUE_ERRORS):
            try:
                states = await self._write_all(conn, [_stripped(ending, said)])
            except psycopg.Error as again:
                if not is_about_a_row(again, conn):
                    raise
            else:
                fields = {**job_fields(ending.job, self._server_id), **UNSTORABLE}
                log.error("ending_refused", extra={**fields, "error": said})
                return states
        log.error("ending_put_off", extra={**job_fields(ending.job, self._server_id), "error": said})
        return {ending.job.id: REFUSED}

    async def _write_all(self, conn: AsyncConnection[Any], batch: Sequence[Ending]) -> dict[int, str]:
        plain: list[ClaimedJob] = []
        others: list[tuple[ClaimedJob, Finalization]] = []
        for ending in batch:
            if type(ending.outcome) is Completed and ending.notes_json is None:
                plain.append(ending.job)
            else:
                others.append((ending.job, self._finalization(ending)))
        states: dict[int, str] = {}
        if plain:
            done = await self._ask(conn, attempts.complete(plain, self._incarnation))
            states.update(dict.fromkeys(done, "completed"))
        if others:
            size = sum(len(final.error_json or "") + len(final.metadata_patch_json or "") for _, final in others)
            states.update(await self._ask(conn, attempts.finalize(others, self._incarnation), carries=size))
        return states

    def _finalization(self, ending: Ending) -> Finalization:
        """Return what changes in the row, the handler's notes included.

        An ending that cannot even be read must not keep its neighbours from being written.
        """
        try:
            return self._decided(ending)
        except Exception as error:
            log.exception("ending_refused", extra=job_fields(ending.job, self._server_id))
            return self._decided(_stripped(ending, type(error).__name__))

    def _decided(self, ending: Ending) -> Finalization:
        job, backoff = ending.job, self._backoff_of(ending.job.kind)
        final = decide(job, ending.outcome, rng=self._random, backoff=backoff)
        return with_notes(final, ending.notes_json)

    async def _own_ends(self, conn: AsyncConnection[Any], missing: Sequence[Ending]) -> dict[int, str]:
        """Return the state of each job that was not written because it is locked, or was written by us before.

        What the handler left is kept with a job that somebody else finalized meanwhile, as River does.
        """
        wanted = [(ending.job, self._finalization(ending)) for ending in missing]
        states = await self._ask(conn, attempts.own_end(wanted, self._incarnation))
        left = [
            (job, final.metadata_patch_json)
            for job, final in wanted
            if final.metadata_patch_json is not None and states.get(job.id) != LOCKED
        ]
        locked = await self._leave(conn, left) if left else set()
        return states | dict.fromkeys(locked, LOCKED)

    async def _leave(self, conn: AsyncConnection[Any], left: Sequence[tuple[ClaimedJob, str]]) -> set[int]:
        """Keep what attempts have left with jobs that others have ended; return those whose rows are locked now."""
        try:
            size = sum(len(patch) for _, patch in left)
            return await self._ask(conn, attempts.leave(left, self._incarnation), carries=size)
        except psycopg.Error as error:
            if not is_about_a_row(error, conn):
                raise
            if len(left) == 1:
                fields = {**job_fields(left[0][0], self._server_id), **UNSTORABLE}
                log.error("ending_refused", extra={**fields, "error": first_line(error)})
                return set()
            half = len(left) // 2
            return await self._leave(conn, left[:half]) | await self._leave(conn, left[half:])

    async def _ask(self, conn: AsyncConnection[Any], steps: Steps[T], *, carries: int = 0) -> T:
        """Run an operation that carries so many bytes, give or take; break the connection when it stays silent."""
        with deadline(conn, ANSWER_SECONDS + carries / SLOWEST):
            return await self._statements.run(conn, steps)


def _stripped(ending: Ending, reason: str) -> Ending:
    """Return an ending that stores nothing of what the handler said."""
    error = f"what the handler left could not be stored: {reason}"
    return Ending(ending.job, Failed(error=error, error_type="unstorable"), None, ending.seconds)
