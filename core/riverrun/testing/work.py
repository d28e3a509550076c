"""Run one job of a test within the test: claimed, handled and finalized on its own connection, in its transaction."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, overload

from psycopg import AsyncConnection, Connection

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.database.statements import Statements, Steps
from riverrun.extensions import extensions
from riverrun.handler_outcome import raised, returned
from riverrun.handlers import Handler, load_handlers
from riverrun.job import Job
from riverrun.outcome import Completed, Outcome
from riverrun.store import attempts, jobs
from riverrun.transition import decide, with_notes

T = TypeVar("T")

SERVER = "riverrun.testing"


@dataclass(frozen=True, slots=True)
class Worked:
    """One attempt that was made within a test.

    Attributes:
        job: The job as the attempt has left it.
        outcome: How it ended, a value of `riverrun.outcome`.
        error: What the handler raised, if the attempt failed.
    """

    job: Job
    outcome: Outcome
    error: BaseException | None

    def require_completed(self) -> Job:
        """Return the job.

        Raises:
            AssertionError: It is not completed; its cause is what the handler raised.
        """
        __tracebackhide__ = True
        if isinstance(self.outcome, Completed):
            return self.job
        raise AssertionError(f"job {self.job.id} is {self.job.state}: {self.outcome}") from self.error


@overload
def work_one(conn: Connection[Any], kind: str, *, job_id: int | None = None, schema: str | None = None) -> Worked: ...


@overload
def work_one(
    conn: AsyncConnection[Any], kind: str, *, job_id: int | None = None, schema: str | None = None
) -> Coroutine[Any, Any, Worked]: ...


def work_one(conn: Any, kind: str, *, job_id: int | None = None, schema: str | None = None) -> Any:
    """Run the oldest job of ``kind`` that waits, due or not, and return what became of it.

        worked = work_one(conn, "email")
        assert worked.require_completed().metadata["output"] == {"sent": 1}

    The handler is the function that is registered in this process, with all that is registered around it. It runs in
    the thread of the test, and its time limit is not enforced. Everything is written on ``conn``.

    Args:
        conn: The connection of the test; when it is asynchronous, await the result.
        kind: The kind.
        job_id: This job of the kind.
        schema: Where River's tables are.

    Raises:
        AssertionError: No job of the kind waits, or nobody handles it.
    """
    __tracebackhide__ = True
    statements = Statements(schema)
    if isinstance(conn, AsyncConnection):
        return _work(conn, statements, kind, job_id)
    context = Context(
        statements.run_sync(conn, _claim(kind, job_id)), server_id=SERVER, incarnation=_me(), statements=statements
    )
    outcome = finish(attempted(context))
    return Worked(statements.run_sync(conn, _finalize(context, outcome)), outcome, context.error)


async def _work(conn: AsyncConnection[Any], statements: Statements, kind: str, job_id: int | None) -> Worked:
    __tracebackhide__ = True
    claimed = await statements.run(conn, _claim(kind, job_id))
    context = Context(claimed, server_id=SERVER, incarnation=_me(), statements=statements)
    outcome = await attempted(context)
    return Worked(await statements.run(conn, _finalize(context, outcome)), outcome, context.error)


async def attempted(context: Context) -> Outcome:
    """Run the handler of the context's job, and what is registered around it, and return the outcome."""
    __tracebackhide__ = True
    kind, known = context.job.kind, load_handlers(())
    if kind not in known:
        names = ", ".join(sorted(known)) or "none"
        raise AssertionError(f"no handler is registered for kind {kind!r}; import its module. Registered: {names}")
    work = partial(_call, known[kind], context)
    around = extensions()
    if around is None:
        return await work()
    return await around.end(context, await around.run(context, work))


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from blocking code, even when an event loop runs around that."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


async def _call(handler: Handler, context: Context) -> Outcome:
    try:
        result: Any = handler.function(*handler.arguments(context.job, context))
        return returned(await result if handler.is_async else result, context)
    except Exception as error:  # noqa: BLE001 - how an attempt fails is what the test wants to see
        return raised(error, context)


def _claim(kind: str, job_id: int | None) -> Steps[ClaimedJob]:
    __tracebackhide__ = True
    job = yield from attempts.claim_one(kind, job_id=job_id, incarnation=_me())
    if job is None:
        which = f"no job of kind {kind!r}" if job_id is None else f"no job {job_id} of kind {kind!r}"
        raise AssertionError(f"{which} waits to be run")
    return job


def _finalize(context: Context, outcome: Outcome) -> Steps[Job]:
    job, backoff = context.job, load_handlers(())[context.job.kind].backoff
    final = decide(job, outcome, rng=random.Random(), backoff=backoff)  # noqa: S311 - a test
    notes = context.all_notes(completed=isinstance(outcome, Completed))
    yield from attempts.finalize([(job, with_notes(final, notes))], _me())
    return (yield from jobs.get(job.id))


def _me() -> str:
    return f"{SERVER}_{os.getpid()}_00000000"
