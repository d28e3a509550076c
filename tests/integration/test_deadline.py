"""A connection whose answer is overdue, and what that says of the others of its process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.deadline import deadline

Connection = AsyncConnection[TupleRow]


@pytest.fixture
async def conns(database: str) -> AsyncIterator[list[Connection]]:
    async with AsyncExitStack() as stack:
        opened = [await AsyncConnection.connect(database, autocommit=True) for _ in range(2)]
        yield [await stack.enter_async_context(conn) for conn in opened]


async def _answered(conn: Connection, *, after: float, within: float, alone: bool = False) -> bool:
    """Return whether an answer that takes ``after`` seconds is waited for."""
    try:
        with deadline(conn, within, alone=alone):
            await conn.execute("SELECT pg_sleep(%s)", (after,))
    except psycopg.OperationalError:
        return False
    return True


async def test_an_answer_is_waited_for_until_it_is_overdue(conns: list[Connection]) -> None:
    answered = await asyncio.gather(
        _answered(conns[0], after=0.1, within=30.0), _answered(conns[1], after=30.0, within=0.5)
    )

    assert list(answered) == [True, False]


async def test_a_neighbour_that_has_waited_for_half_its_time_is_given_up_with_one_that_is_overdue(
    conns: list[Connection],
) -> None:
    answered = await asyncio.gather(
        _answered(conns[0], after=30.0, within=0.8), _answered(conns[1], after=1.2, within=1.5)
    )

    assert list(answered) == [False, False]


@pytest.mark.parametrize(("within", "alone"), [(30.0, False), (1.5, True)], ids=["one with patience", "one apart"])
async def test_a_neighbour_that_may_still_answer_is_waited_for(
    conns: list[Connection], within: float, alone: bool
) -> None:
    answered = await asyncio.gather(
        _answered(conns[0], after=30.0, within=0.8), _answered(conns[1], after=1.2, within=within, alone=alone)
    )

    assert list(answered) == [False, True]
