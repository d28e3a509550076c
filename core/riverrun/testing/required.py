"""Assertions about enqueued jobs that say, when they fail, what was there instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack, overload

from psycopg import AsyncConnection, Connection

from riverrun import operations
from riverrun.database.statements import Statements, Steps
from riverrun.errors import InvalidInput
from riverrun.job import Job

NEAR = timedelta(seconds=1)
"""How far ``scheduled_at`` may be from what is expected: the database counts delays by its own clock."""

_SHOWN = 10
_LOOKED_AT = 1_000


class Expected(TypedDict, total=False):
    """What a job is expected to have.

    Attributes:
        args: Members of the arguments; others may be there.
        metadata: Members of the metadata; others may be there.
        queue: The queue.
        state: The state.
        priority: The priority.
        max_attempts: How many attempts it has.
        tags: Its tags, all of them and in their order.
        scheduled_at: When it is due, give or take a second.
    """

    args: Mapping[str, object]
    metadata: Mapping[str, object]
    queue: str
    state: str
    priority: int
    max_attempts: int
    tags: Sequence[str]
    scheduled_at: datetime


@overload
def enqueued(conn: Connection[Any], kind: str | None = None, *, schema: str | None = None) -> list[Job]: ...


@overload
def enqueued(
    conn: AsyncConnection[Any], kind: str | None = None, *, schema: str | None = None
) -> Coroutine[Any, Any, list[Job]]: ...


def enqueued(conn: Any, kind: str | None = None, *, schema: str | None = None) -> Any:
    """Return the jobs of a kind, or all, in the order in which they were enqueued; of very many the last 1,000.

    Args:
        conn: The connection of the test; when it is asynchronous, await the result.
        kind: The kind.
        schema: Where River's tables are.
    """
    return _run(conn, _jobs(kind), schema)


@overload
def require_enqueued(
    conn: Connection[Any], kind: str, *, schema: str | None = None, **expected: Unpack[Expected]
) -> Job: ...


@overload
def require_enqueued(
    conn: AsyncConnection[Any], kind: str, *, schema: str | None = None, **expected: Unpack[Expected]
) -> Coroutine[Any, Any, Job]: ...


def require_enqueued(conn: Any, kind: str, *, schema: str | None = None, **expected: Unpack[Expected]) -> Any:
    """Return the one job of ``kind`` that is as expected.

        job = require_enqueued(conn, "email", args={"to": "user@example.com"}, queue="mail")

    Args:
        conn: The connection of the test; when it is asynchronous, await the result.
        kind: The kind.
        schema: Where River's tables are.
        expected: See `Expected`.

    Raises:
        AssertionError: There is none, or more than one; the message says what is there instead.
    """
    __tracebackhide__ = True
    return _run(conn, _required(kind, _known(expected)), schema)


@overload
def require_not_enqueued(
    conn: Connection[Any], kind: str, *, schema: str | None = None, **expected: Unpack[Expected]
) -> None: ...


@overload
def require_not_enqueued(
    conn: AsyncConnection[Any], kind: str, *, schema: str | None = None, **expected: Unpack[Expected]
) -> Coroutine[Any, Any, None]: ...


def require_not_enqueued(conn: Any, kind: str, *, schema: str | None = None, **expected: Unpack[Expected]) -> Any:
    """Make sure that no job of ``kind`` is as described; arguments as in `require_enqueued`.

    Raises:
        AssertionError: There is one; the message shows it.
    """
    __tracebackhide__ = True
    return _run(conn, _required_not(kind, _known(expected)), schema)


def _jobs(kind: str | None) -> Steps[list[Job]]:
    page = yield from operations.page({} if kind is None else {"kind": kind}, limit=_LOOKED_AT, cursor=None)
    return sorted(page.jobs, key=lambda job: job.id)


def _required(kind: str, expected: Mapping[str, object]) -> Steps[Job]:
    __tracebackhide__ = True
    jobs = yield from _jobs(kind)
    found = [job for job in jobs if not _differences(job, expected)]
    if len(found) == 1:
        return found[0]
    wanted = _wanted(kind, expected)
    if found:
        raise AssertionError(f"{len(found)} jobs are {wanted}; say what tells them apart:\n{_shown(found)}")
    if jobs:
        lines = [f"  job {job.id}: {'; '.join(_differences(job, expected))}" for job in jobs[-_SHOWN:]]
        raise AssertionError("\n".join([f"no job is {wanted}; of that kind there are:", *lines]))
    others = Counter(job.kind for job in (yield from _jobs(None)))
    there = ", ".join(f"{count} of kind {name!r}" for name, count in sorted(others.items()))
    raise AssertionError(f"no job is {wanted}; there are {there or 'no jobs at all'}")


def _required_not(kind: str, expected: Mapping[str, object]) -> Steps[None]:
    __tracebackhide__ = True
    jobs = yield from _jobs(kind)
    if found := [job for job in jobs if not _differences(job, expected)]:
        raise AssertionError(f"a job is {_wanted(kind, expected)}:\n{_shown(found)}")


def _differences(job: Job, expected: Mapping[str, object]) -> list[str]:
    """Say in what ``job`` is not as expected."""
    differences = []
    for name, wanted in expected.items():
        actual = getattr(job, name)
        if isinstance(wanted, Mapping):
            for member, value in wanted.items():
                if member not in actual:
                    differences.append(f"{name} has no {member!r}")
                elif actual[member] != value:
                    differences.append(f"{name}[{member!r}] is {actual[member]!r}, not {value!r}")
        elif not _equal(actual, wanted):
            differences.append(f"{name} is {actual!s}, not {wanted!s}")
    return differences


def _equal(actual: object, wanted: object) -> bool:
    if isinstance(actual, datetime) and isinstance(wanted, datetime):
        return abs(actual - wanted) <= NEAR
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return actual == tuple(wanted)
    return actual == wanted


def _wanted(kind: str, expected: Mapping[str, object]) -> str:
    with_ = ", ".join(f"{name}={value!r}" for name, value in expected.items())
    return f"of kind {kind!r}{' with ' if with_ else ''}{with_}"


def _shown(jobs: Sequence[Job]) -> str:
    return "\n".join(f"  job {job.id} in {job.queue!r}, {job.state}: {job.args_text}" for job in jobs[:_SHOWN])


def _known(expected: Expected) -> Mapping[str, object]:
    if unknown := set(expected) - set(Expected.__annotations__):
        allowed = f"one of {', '.join(Expected.__annotations__)}"
        raise InvalidInput(min(unknown), min(unknown), allowed, code="unknown")
    return expected


def _run(conn: Any, steps: Steps[Any], schema: str | None) -> Any:
    __tracebackhide__ = True
    statements = Statements(schema)
    return statements.run(conn, steps) if isinstance(conn, AsyncConnection) else statements.run_sync(conn, steps)
