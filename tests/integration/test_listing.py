"""Job lists by keyset: their order, that nothing is seen twice or missed, and that an index bounds what they cost."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Query, Statements, Steps
from riverrun.errors import InvalidInput
from riverrun.job import JobState
from riverrun.store import failures, listing, words
from riverrun.store.listing import JobFilter
from support.jobs import insert
from support.queries import value

T = TypeVar("T")

STATEMENTS = Statements()
BIG = 100_000
LONG_AGO = datetime(2001, 2, 3, tzinfo=UTC)
STATE_SETS = [
    (),
    ("completed",),
    ("completed", "discarded", "cancelled"),
    ("scheduled",),
    ("retryable", "scheduled"),
    ("available",),
    ("pending",),
    ("running",),
    ("running", "available"),
]

# Ends with equal keys in every order, so that only the id tells jobs apart.
_FILL = """
INSERT INTO river_job (
    kind, args, queue, priority, max_attempts, state, scheduled_at, finalized_at, attempted_at, attempt, tags
)
SELECT
    'kind' || i %% 20, '{}', CASE WHEN i %% 3 = 0 THEN 'default' ELSE 'mail' END, 1 + i %% 9, 25, state,
    now() + (i * 7919 %% 1000 - 500) * interval '1 minute',
    CASE WHEN state IN ('completed', 'cancelled', 'discarded') THEN now() - (i * 31 %% 700) * interval '1 second' END,
    CASE WHEN state = 'running' THEN now() - (i %% 7) * interval '1 second' END,
    1, ARRAY['tag' || i %% 50]
FROM (
    SELECT i, (
        CASE
            WHEN i %% 100 < 60 THEN 'completed' WHEN i %% 100 < 65 THEN 'discarded' WHEN i %% 100 < 66 THEN 'cancelled'
            WHEN i %% 100 < 90 THEN 'available' WHEN i %% 100 < 93 THEN 'scheduled' WHEN i %% 100 < 97 THEN 'retryable'
            WHEN i %% 100 < 98 THEN 'pending' ELSE 'running'
        END
    )::river_job_state AS state
    FROM generate_series(1::bigint, %(jobs)s) AS i
) AS made
"""


def _states(names: tuple[str, ...]) -> tuple[JobState, ...]:
    return tuple(JobState(name) for name in names)


async def _fill(conn: AsyncConnection[TupleRow], jobs: int) -> None:
    await conn.execute(_FILL, {"jobs": jobs})
    await conn.execute("VACUUM ANALYZE river_job")
    await conn.execute("SET plan_cache_mode = force_custom_plan")


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
    await _fill(conn, 1000)
    wanted = JobFilter(states=_states(states))

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
    await _fill(conn, 1000)

    ids = await _walk(conn, JobFilter(states=(JobState(state),), queues=("mail",)), 50)

    query = f"SELECT id FROM river_job WHERE state = '{state}' AND queue = 'mail' ORDER BY {order}"
    assert ids == [row[0] for row in await (await conn.execute(query.encode())).fetchall()]


@pytest.mark.parametrize("states", STATE_SETS, ids="+".join)
async def test_jobs_that_arrive_meanwhile_move_nothing(
    conn: AsyncConnection[TupleRow], states: tuple[str, ...]
) -> None:
    await _fill(conn, 400)
    wanted = JobFilter(states=_states(states))
    before = await _walk(conn, wanted, 1000)

    first = await STATEMENTS.run(conn, listing.page(wanted, limit=2))
    await _fill(conn, 400)
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
    await _fill(conn, 1000)
    monkeypatch.setattr(listing, "LOOKED_AT", 30)
    wanted = JobFilter(states=_states(states), tags=("tag7", "tag16", "tag33"))

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
    await _fill(conn, 100)
    monkeypatch.setattr(listing, "LOOKED_AT", 10)
    wanted = JobFilter(kinds=("none",))

    hasty = await STATEMENTS.run(conn, listing.page(wanted, seconds=0))
    patient = await STATEMENTS.run(conn, listing.page(wanted))

    assert hasty.jobs == []
    assert hasty.next_cursor is not None
    assert patient == listing.Page([], None)


async def test_a_cursor_that_was_changed_or_is_of_another_filter_is_refused(conn: AsyncConnection[TupleRow]) -> None:
    await _fill(conn, 200)
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
    await _fill(conn, 12_000)
    await conn.execute("UPDATE river_job SET state = 'completed', finalized_at = now() WHERE id <= 11000")

    counts = await STATEMENTS.run(conn, listing.count_states())
    both = await STATEMENTS.run(conn, listing.count(JobFilter(states=_states(("completed", "available")))))
    kind = await STATEMENTS.run(conn, listing.count(JobFilter(kinds=("kind1",))))

    assert counts[JobState.COMPLETED] == listing.Count(10_000, "gte")
    assert counts[JobState.AVAILABLE] == listing.Count(240, "eq")
    assert both == listing.Count(10_000, "gte")
    assert kind is None


async def test_queues_are_counted_together_in_two_statements_however_many(conn: AsyncConnection[TupleRow]) -> None:
    await _fill(conn, 1_000)
    asked: list[str] = []
    queues = ["mail", "default", "mail", *(f"queue-{number}" for number in range(50))]
    of_mail = "SELECT count(*) FROM river_job WHERE queue = 'mail' AND state IN ('completed', 'running')"

    together = await STATEMENTS.run(conn, _noting(listing.count_states(queues=queues), asked))
    mail = JobFilter(states=_states(("completed", "running")), queues=("mail",))
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


class TestPlans:
    """At 100,000 jobs no list, count or statistic reads the table from end to end."""

    @pytest.fixture
    async def big(self, conn: AsyncConnection[TupleRow]) -> AsyncConnection[TupleRow]:
        """Give a database with many jobs."""
        await _fill(conn, BIG)
        return conn

    async def test_lists_read_no_more_than_a_few_pages(self, big: AsyncConnection[TupleRow]) -> None:
        for states in STATE_SETS:
            for queues in ((), ("mail",)):
                wanted = JobFilter(states=_states(states), queues=queues)
                page = await STATEMENTS.run(big, listing.page(wanted, limit=50))
                for cursor in (None, page.next_cursor):
                    plan = await _plan(big, next(listing.page(wanted, limit=50, cursor=cursor)))

                    # 2,000 running jobs are read and sorted; nothing else is read beyond its page of each state.
                    assert _buffers(plan) < (3_000 if states == ("running",) else 1_000), (states, queues, plan)
                    assert "Seq Scan on river_job" not in plan, (states, queues, plan)

    @pytest.mark.parametrize("order", [None, *listing.ORDERS])
    async def test_a_search_for_what_is_not_there_looks_at_some_thousand_jobs(
        self, big: AsyncConnection[TupleRow], order: listing.Order | None
    ) -> None:
        searched = (
            {"kinds": ("none",)}, {"tags": ("none",)}, {"args": '{"to": "nobody"}'}, {"metadata": '{"of": "nobody"}'},
            {"error": "none"}, {"queues": ("none",), "priorities": (9,)}, {"created_before": LONG_AGO},
        )  # fmt: skip
        for states in STATE_SETS:
            for fields in searched:
                wanted = replace(JobFilter(states=_states(states)), **fields)

                plan = await _plan(big, next(listing.page(wanted, order=order)))

                assert _most_rows(plan) <= listing.LOOKED_AT + 1_000, (states, fields, plan)
                assert "Seq Scan on river_job" not in plan, (states, fields, plan)

    async def test_a_time_that_the_order_goes_by_is_found_at_once(self, big: AsyncConnection[TupleRow]) -> None:
        long_ago = (
            JobFilter(states=_states(("completed", "discarded")), finalized_before=LONG_AGO),
            JobFilter(states=_states(("scheduled", "retryable")), scheduled_before=LONG_AGO),
        )
        for wanted in long_ago:
            plan = await _plan(big, next(listing.page(wanted)))

            assert _buffers(plan) < 20, plan

    async def test_counts_are_bounded_walks_of_an_index(self, big: AsyncConnection[TupleRow]) -> None:
        waiting = tuple(JobState(state) for state in ("available", "pending", "retryable", "running", "scheduled"))
        counted: list[Steps[Any]] = [listing.count_states(), listing.count_states(queues=["mail", "default"])]
        counted += [listing.count_queues([queue], waiting) for queue in ("mail", "default", "unknown")]
        for steps in counted:
            plan = await _plan(big, next(steps))

            assert "Seq Scan on river_job" not in plan, plan
            # A state with about as many jobs as the cap may be read and sorted; a larger one is walked up to the cap.
            assert _most_rows(plan) < 2.5 * listing.CAP, plan

    async def test_jobs_of_a_queue_among_too_many_finished_ones_are_not_looked_for(
        self, big: AsyncConnection[TupleRow]
    ) -> None:
        counts = listing.count_states((JobState.COMPLETED,), queues=["mail", "default"])

        plan = await _plan(big, next(counts))

        # What is not visible to all yet is looked up; but no more than whether it is there.
        assert "Index Only Scan using river_job_state_and_finalized_at_index" in plan, plan
        assert "never executed" in plan, plan

    async def test_many_queues_are_counted_less_far(self, big: AsyncConnection[TupleRow]) -> None:
        states = _states(("available", "scheduled"))
        many = [f"queue-{number}" for number in range(998)]

        few = await STATEMENTS.run(big, listing.count_queues(["mail", "default", "none"], states))
        among_many = await STATEMENTS.run(big, listing.count_queues(["mail", "default", *many], states))
        plan = await _plan(big, next(listing.count_queues(["mail", "default", *many], states)))

        assert few["mail"] == {
            JobState.AVAILABLE: listing.Count(10_000, "gte"),
            JobState.SCHEDULED: listing.Count(2_000, "eq"),
        }
        assert few["default"][JobState.AVAILABLE] == listing.Count(8_000, "eq")
        assert set(few["none"].values()) == {listing.Count(0, "eq")}
        assert among_many["mail"] == dict.fromkeys(states, listing.Count(200, "gte"))
        assert _most_rows(plan) <= 1_000, plan
        assert "Seq Scan on river_job" not in plan, plan

    async def test_failures_are_read_no_further_than_they_are_grouped(self, big: AsyncConnection[TupleRow]) -> None:
        await big.execute(
            "UPDATE river_job SET state = 'retryable', finalized_at = NULL WHERE state = 'completed' AND id % 7 = 0"
        )
        await big.execute("VACUUM ANALYZE river_job")

        plan = await _plan(big, next(failures.groups()))

        # Five thousand discarded jobs may be read and sorted; of 12,000 retryable ones the first are read.
        assert _most_rows(plan) < 10_000, plan
        assert "Seq Scan on river_job" not in plan, plan

    async def test_failures_are_found_behind_any_number_of_scheduled_jobs(self, big: AsyncConnection[TupleRow]) -> None:
        await big.execute(
            "UPDATE river_job SET finalized_at = NULL,"
            " state = CASE WHEN id % 3 = 0 THEN 'retryable' ELSE 'scheduled' END::river_job_state,"
            " scheduled_at = now() + (id % 3 = 0)::int * interval '1 day' WHERE state IN ('completed', 'retryable')"
        )
        await big.execute("VACUUM ANALYZE river_job")

        plan = await _plan(big, next(failures.groups()))

        assert max(map(int, re.findall(r"Removed by Filter: (\d+)", plan)), default=0) <= 10_000, plan

    async def test_words_are_taken_from_the_newest_jobs_alone(self, big: AsyncConnection[TupleRow]) -> None:
        plan = await _plan(big, next(words.known()))

        assert _most_rows(plan) <= 2 * words.LOOKED_AT, plan  # a job may have several tags
        assert "Seq Scan on river_job" not in plan, plan

    async def test_the_oldest_due_job_costs_a_probe_for_each_priority(self, big: AsyncConnection[TupleRow]) -> None:
        plan = await _plan(big, Query("queue_list"))

        assert _buffers(plan) < 400, plan


async def _plan(conn: AsyncConnection[TupleRow], query: object) -> str:
    assert isinstance(query, Query)
    params: Mapping[str, object] = {"schema": None, **query.params}
    cursor = await conn.execute(b"EXPLAIN (ANALYZE, BUFFERS) " + STATEMENTS.text(query.name), params)
    return "\n".join(row[0] for row in await cursor.fetchall())


def _most_rows(plan: str) -> int:
    """Return the most rows that a node of a plan gave in one loop."""
    return max(int(rows) for rows in re.findall(r"actual time=\S+ rows=(\d+)", plan))


def _buffers(plan: str) -> int:
    """Return how many pages the topmost node of a plan touched."""
    match = re.search(r"Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?", plan)
    assert match is not None, plan
    return int(match[1] or 0) + int(match[2] or 0)


async def test_failures_of_every_queue_are_looked_at(conn: AsyncConnection[TupleRow]) -> None:
    failed = (
        "INSERT INTO river_job (kind, args, queue, max_attempts, state, errors) SELECT %s, '{}', %s, 9, 'retryable', "
    )
    error = """ARRAY['{"at": "2026-11-29T12:00:00Z", "error": "no"}'::jsonb] FROM generate_series(1, %s)"""
    await conn.execute(failed + error, ("loud", "a", 2 * failures.LOOKED_AT))
    await conn.execute(failed + error, ("quiet", "b", 3))

    found, more = await STATEMENTS.run(conn, failures.groups())

    assert {(each.kind, each.retryable) for each in found} == {("loud", failures.LOOKED_AT // 2), ("quiet", 3)}
    assert more


async def test_nothing_more_has_failed_when_all_was_looked_at(conn: AsyncConnection[TupleRow]) -> None:
    for state in ("discarded", "retryable"):
        await conn.execute(
            "INSERT INTO river_job (kind, args, queue, max_attempts, state, finalized_at, errors)"
            " SELECT 'k', '{}', 'q', 9, %(state)s::river_job_state, CASE WHEN %(state)s = 'discarded' THEN now() END,"
            """ ARRAY['{"at": "2026-11-29T12:00:00Z", "error": "no"}'::jsonb] FROM generate_series(1, %(jobs)s)""",
            {"state": state, "jobs": failures.LOOKED_AT - 1},
        )

    ((only,), more) = await STATEMENTS.run(conn, failures.groups())

    assert (only.discarded + only.retryable, more) == (2 * (failures.LOOKED_AT - 1), False)


async def test_a_list_of_a_schema_names_its_tables(conn: AsyncConnection[TupleRow]) -> None:
    await insert(conn)

    page = await Statements("public").run(conn, listing.page(JobFilter(states=(JobState.AVAILABLE,))))
    count = await Statements("public").run(conn, listing.count(JobFilter()))

    assert len(page.jobs) == 1
    assert count is None or count.relation == "approx"
