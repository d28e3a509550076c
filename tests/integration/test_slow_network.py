"""A slow network is no dead one: jobs arrive, fewer at a time and with more patience, and a leader stays the leader."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import AsyncConnection

from riverrun import AsyncClient
from riverrun.store import gauges, registry, rescue, schedules
from riverrun_executor import pace
from riverrun_executor.pace import MAX_CLAIM, Pace
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.jobs import states
from support.proxy import Proxy
from support.schedulers import term_of

BYTES_A_SECOND = 500_000


@pytest.mark.parametrize(("jobs", "size"), [(300, 5_000), (1, 900_000)], ids=["many jobs", "one large job"])
async def test_jobs_arrive_that_take_longer_than_a_silent_connection_is_waited_for(
    database: str, monkeypatch: pytest.MonkeyPatch, jobs: int, size: int
) -> None:
    monkeypatch.setattr(pace, "ANSWER_SECONDS", 0.5)
    async with (
        AsyncClient(database) as client,
        await AsyncConnection.connect(database, autocommit=True) as conn,
    ):
        await client.enqueue_many([{"kind": "noop", "args": {"text": "x" * size}}] * jobs)
        with Proxy(database) as proxy:
            proxy.throttle(BYTES_A_SECOND)
            async with running_executor(settings_for(proxy.dsn), slots=jobs):
                await eventually(lambda: _all_completed(conn), within=60)


async def test_a_leader_whose_work_takes_long_on_its_way_stays_the_leader(
    database: str,
) -> None:
    with Proxy(database) as proxy:
        async with term_of(settings_for(proxy.dsn)) as term:
            await term.pulse()
            proxy.delay(0.2)

            for steps in (rescue.missing_executors(), registry.handlers(), schedules.list_all(), gauges.queues()):
                await term.run(steps)  # its first time on this connection: there and back twice

            assert term.until_pulse < 0
            await term.pulse()


async def _all_completed(conn: AsyncConnection[Any]) -> bool:
    return set(await states(conn)) == {"completed"}


def test_a_claim_that_failed_is_followed_by_smaller_ones_and_full_ones_in_good_time_by_larger_ones() -> None:
    learnt = Pace()

    learnt.failed(pace.ANSWER_SECONDS)
    learnt.failed(pace.ANSWER_SECONDS)
    small = learnt.jobs
    learnt.arrived(small, pace.ANSWER_SECONDS / 2)
    learnt.arrived(small - 1, 0.001)
    unchanged = learnt.jobs
    for _ in range(10):
        learnt.arrived(learnt.jobs, 0.001)

    assert (small, unchanged, learnt.jobs) == (MAX_CLAIM // 4 // 4, small, MAX_CLAIM)


def test_a_single_job_that_does_not_arrive_is_given_more_time_within_a_limit() -> None:
    learnt = Pace()
    for _ in range(20):
        learnt.failed(pace.ANSWER_SECONDS)

    assert (learnt.jobs, learnt.seconds) == (1, pace.MOST_SECONDS)

    learnt.arrived(1, 0.001)
    assert learnt.seconds == pace.ANSWER_SECONDS


def test_claims_that_are_refused_at_once_change_nothing() -> None:
    learnt = Pace()
    for _ in range(20):
        learnt.failed(0.01)

    assert (learnt.jobs, learnt.seconds) == (MAX_CLAIM, pace.ANSWER_SECONDS)
