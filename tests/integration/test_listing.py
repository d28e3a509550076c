"""Job lists by keyset: their order, that nothing is seen twice or missed, and how many are counted."""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime
from typing import TypeVar, cast

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Statements, Steps
from riverrun.errors import InvalidInput
from riverrun.job import JobState
from riverrun.store import listing
from riverrun.store.listing import JobFilter
from support.job_lists import STATE_SETS, fill, states_of
from support.jobs import insert
from support.queries import value

T = TypeVar("T")

STATEMENTS = Statements()
BIG = 100_000
LONG_AGO = datetime(2001, 2, 3, tzinfo=UTC)


async def _walk(
    conn: AsyncConnection[TupleRow],
    wanted: JobFilter,
    limit: int,
    *,
    order: listing.Order | None = None,
    seconds: float = math.inf,
) -> list[int]:
    ids: list[int] = []
    cursor: str | None = None
    while True:
        steps = listing.page(wanted, limit=limit, cursor=cursor, order=order, seconds=seconds)
        page = await STATEMENTS.run(conn, steps)
        ids += [job.id for job in page.jobs]
        cursor = page.next_cursor
        if cursor is None:
            return ids


@pytest.mark.parametrize("states", STATE_SETS, ids="+".join)
async def test_pages_hold_every_job_once(conn: AsyncConnection[TupleRow], states: tuple[str, ...]) -> None:
    await fill(conn, 1000)
    wanted = JobFilter(states=states_of(states))

    ids = await _walk(conn, wanted, 37)

    rows = await conn.execute(
        "SELECT id FROM river_job WHERE %(all)s OR state::text = ANY (%(states)s)",
        {"all": not states, "states": list(states)},
    )
    assert sorted(ids) == sorted(row[0] for row in await rows.fetchall())


ORDERS = [
    ("completed", "finalized_at DESC, id DESC"),
    ("scheduled", "scheduled_at, id"),
    ("available", "priority, scheduled_at, id"),
    ("running", "attempted_at, id"),
]


@pytest.mark.parametrize(("state", "order"), ORDERS)
async def test_each_state_has_the_order_in_which_one_looks_for_such_jobs(
    conn: AsyncConnection[TupleRow], state: str, order: str
) -> None:
    await fill(conn, 1000)

    ids = await _walk(conn, JobFilter(states=(JobState(state),), queues=("mail",)), 50)

    query = f"SELECT id FROM river_job WHERE state = '{state}' AND queue = 'mail' ORDER BY {order}"
    assert ids == [row[0] for row in await (await conn.execute(query.encode())).fetchall()]


@pytest.mark.parametrize("states", STATE_SETS, ids="+".join)
async def test_jobs_that_arrive_meanwhile_move_nothing(
    conn: AsyncConnection[TupleRow], states: tuple[str, ...]
) -> None:
    await fill(conn, 400)
    wanted = JobFilter(states=states_of(states))
    before = await _walk(conn, wanted, 1000)

    first = await STATEMENTS.run(conn, listing.page(wanted, limit=2))
    await fill(conn, 400)
    ids = [job.id for job in first.jobs]
    cursor = first.next_cursor
    while cursor is not None:
        page = await STATEMENTS.run(conn, listing.page(wanted, limit=100, cursor=cursor))
        ids += [job.id for job in page.jobs]
        cursor = page.next_cursor

    assert len(ids) == len(set(ids))
    assert [job_id for job_id in ids if job_id in set(before)] == before


@pytest.mark.parametrize("order", [None, *listing.ORDERS])
@pytest.mark.parametrize("states", STATE_SETS, ids="+".join)
async def test_a_search_that_goes_on_bit_by_bit_finds_every_job_once(
    conn: AsyncConnection[TupleRow],
    states: tuple[str, ...],
    order: listing.Order | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await fill(conn, 1000)
    monkeypatch.setattr(listing, "LOOKED_AT", 30)
    wanted = JobFilter(states=states_of(states), tags=("tag7", "tag16", "tag33"))

    at_once = await _walk(conn, wanted, 1000, order=order)
    in_bits = await _walk(conn, wanted, 2, order=order, seconds=0)

    rows = await conn.execute(
        "SELECT id FROM river_job WHERE (%(all)s OR state::text = ANY (%(states)s)) AND tags && %(tags)s::varchar[]",
        {"all": not states, "states": list(states), "tags": list(wanted.tags)},
    )
    assert sorted(at_once) == sorted(row[0] for row in await rows.fetchall())
    assert in_bits == at_once


async def test_a_search_without_time_left_says_where_to_go_on(
    conn: AsyncConnection[TupleRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(conn, 100)
    monkeypatch.setattr(listing, "LOOKED_AT", 10)
    wanted = JobFilter(kinds=("none",))

    hasty = await STATEMENTS.run(conn, listing.page(wanted, seconds=0))
    patient = await STATEMENTS.run(conn, listing.page(wanted))

    assert hasty.jobs == []
    assert hasty.next_cursor is not None
    assert patient == listing.Page([], None)


async def test_a_cursor_that_was_changed_or_is_of_another_filter_is_refused(conn: AsyncConnection[TupleRow]) -> None:
    await fill(conn, 200)
    wanted = JobFilter(states=(JobState.COMPLETED,))
    cursor = (await STATEMENTS.run(conn, listing.page(wanted, limit=2))).next_cursor
    assert cursor is not None
    place = json.loads(base64.urlsafe_b64decode(cursor + "=="))
    forged = [
        [*place[:3], "0" * 12],
        [place[0], place[1], "1; DROP TABLE river_job", place[3]],
        [place[0], 10**30, place[2], place[3]],
        [place[0], None, place[2], place[3]],
        [99, *place[1:]],
        [True, *place[1:]],
        place[:3],
        {},
        None,
    ]
    texts = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode() for each in forged]

    for text in [*texts, "", "%", "é", cursor[:-3], "A" * 10_000]:
        with pytest.raises(InvalidInput, match="cursor"):
            await STATEMENTS.run(conn, listing.page(wanted, cursor=text))
    with pytest.raises(InvalidInput, match="cursor"):
        await STATEMENTS.run(conn, listing.page(JobFilter(states=(JobState.DISCARDED,)), cursor=cursor))


@pytest.mark.parametrize("limit", [0, -1, 1001])
async def test_a_page_has_1_to_1000_jobs(conn: AsyncConnection[TupleRow], limit: int) -> None:
    with pytest.raises(InvalidInput, match="limit"):
        await STATEMENTS.run(conn, listing.page(JobFilter(), limit=limit))


async def test_counts_are_exact_up_to_ten_thousand(conn: AsyncConnection[TupleRow]) -> None:
    await fill(conn, 12_000)
    await conn.execute("UPDATE river_job SET state = 'completed', finalized_at = now() WHERE id <= 11000")

    counts = await STATEMENTS.run(conn, listing.count_states())
    both = await STATEMENTS.run(conn, listing.count(JobFilter(states=states_of(("completed", "available")))))
    kind = await STATEMENTS.run(conn, listing.count(JobFilter(kinds=("kind1",))))

    assert counts[JobState.COMPLETED] == listing.Count(10_000, "gte")
    assert counts[JobState.AVAILABLE] == listing.Count(240, "eq")
    assert both == listing.Count(10_000, "gte")
    assert kind is None


async def test_queues_are_counted_together_in_two_statements_however_many(conn: AsyncConnection[TupleRow]) -> None:
    await fill(conn, 1_000)
    asked: list[str] = []
    queues = ["mail", "default", "mail", *(f"queue-{number}" for number in range(50))]
    of_mail = "SELECT count(*) FROM river_job WHERE queue = 'mail' AND state IN ('completed', 'running')"

    together = await STATEMENTS.run(conn, _noting(listing.count_states(queues=queues), asked))
    mail = JobFilter(states=states_of(("completed", "running")), queues=("mail",))
    counted = await STATEMENTS.run(conn, listing.count(mail))
    nothing = await STATEMENTS.run(conn, listing.count_states(queues=[]))

    assert sorted(asked) == ["job_count", "job_count_queues"]
    assert together == await STATEMENTS.run(conn, listing.count_states())
    assert counted == listing.Count(await value(conn, of_mail), "eq")
    assert nothing == dict.fromkeys(JobState, listing.Count(0, "eq"))


def _noting(steps: Steps[T], asked: list[str]) -> Steps[T]:
    """Return ``steps``, which write down what they ask."""
    rows = None
    while True:
        try:
            query = next(steps) if rows is None else steps.send(rows)
        except StopIteration as done:
            return cast("T", done.value)
        asked.append(query.name)
        rows = yield query


async def test_a_list_of_a_schema_names_its_tables(conn: AsyncConnection[TupleRow]) -> None:
    await insert(conn)

    page = await Statements("public").run(conn, listing.page(JobFilter(states=(JobState.AVAILABLE,))))
    count = await Statements("public").run(conn, listing.count(JobFilter()))

    assert len(page.jobs) == 1
    assert count is None or count.relation == "approx"
