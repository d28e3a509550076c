"""What lists, counts and what pages ask beside them cost at 100,000 jobs: an index bounds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.database.statements import Query, Statements, Steps
from riverrun.job import JobState
from riverrun.store import failures, listing, words
from riverrun.store.listing import JobFilter
from support.job_lists import STATE_SETS, fill, states_of

T = TypeVar("T")

STATEMENTS = Statements()
BIG = 100_000
LONG_AGO = datetime(2001, 2, 3, tzinfo=UTC)


class TestPlans:
    """At 100,000 jobs no list, count or statistic reads the table from end to end."""

    @pytest.fixture
    async def big(self, conn: AsyncConnection[TupleRow]) -> AsyncConnection[TupleRow]:
        """Give a database with many jobs."""
        await fill(conn, BIG)
        return conn

    async def test_lists_read_no_more_than_a_few_pages(self, big: AsyncConnection[TupleRow]) -> None:
        for states in STATE_SETS:
            for queues in ((), ("mail",)):
                wanted = JobFilter(states=states_of(states), queues=queues)
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
                wanted = replace(JobFilter(states=states_of(states)), **fields)

                plan = await _plan(big, next(listing.page(wanted, order=order)))

                assert _most_rows(plan) <= listing.LOOKED_AT + 1_000, (states, fields, plan)
                assert "Seq Scan on river_job" not in plan, (states, fields, plan)

    async def test_a_time_that_the_order_goes_by_is_found_at_once(self, big: AsyncConnection[TupleRow]) -> None:
        long_ago = (
            JobFilter(states=states_of(("completed", "discarded")), finalized_before=LONG_AGO),
            JobFilter(states=states_of(("scheduled", "retryable")), scheduled_before=LONG_AGO),
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
        states = states_of(("available", "scheduled"))
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
