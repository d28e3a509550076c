"""Who may run jobs: an executor whose lease is renewed, and nobody else once it is not."""

from __future__ import annotations

import asyncio
import time

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from riverrun import AsyncClient, JobState
from riverrun.database.statements import Statements
from riverrun.errors import Conflict
from riverrun.store import leases
from riverrun.store.leader import Pulse
from riverrun.store.leases import Death, LivingExecutor, Server
from riverrun_scheduler.rescuer import Rescuer
from riverrun_scheduler.river_leader import RiverLeadership
from riverrun_scheduler.term import Term
from riverrun_supervisor.lease import RENEW_SECONDS, Lease
from support import handlers
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.jobs import insert, job
from support.schedulers import settled, term_of

Connection = AsyncConnection[TupleRow]

OURS = "host-1_4711_0a1b2c3d"


class Host:
    """The part of a supervisor that renews, without processes, and a way to kill or to cut it off."""

    def __init__(self, database: str, *, run: bool = True) -> None:
        server = Server("host-1", "somewhere", 4711, "0", ("executor",))
        executors = [LivingExecutor(OURS, "default", 1, 4712)]
        self.until = 0.0
        self.lease = Lease(
            database,
            None,
            server=server,
            executors=lambda: executors,
            renewed=self._renewed,
            isolate=lambda _: None,
        )
        if run:
            self._task = asyncio.create_task(self.lease.run(), name="host")

    def _renewed(self, _: object, until: float) -> None:
        self.until = until

    async def die(self) -> None:
        """End like a process that is killed: its session ends, and nobody says anything."""
        self._task.cancel()
        await asyncio.wait([self._task])


async def watched(term: Term, service: Rescuer) -> Pulse:
    """Do what a leader does each second."""
    pulse = await settled(term)
    while await service.step(pulse):
        pass
    return pulse


async def running_job(conn: Connection) -> int:
    now = "2026-01-01"
    job_id: int = await insert(conn, state="running", attempt=1, attempted_at=now, attempted_by=[OURS])
    return job_id


async def test_jobs_of_a_host_that_was_killed_are_rescued_within_five_seconds(conn: Connection, database: str) -> None:
    host = Host(database)
    job_id = await running_job(conn)
    async with term_of(settings_for(database)) as term:
        service = Rescuer(term, RiverLeadership(term))
        await eventually(lambda: host.until > 0, within=5)
        await watched(term, service)

        await host.die()
        killed = time.monotonic()
        while (await job(conn, job_id))["state"] == "running" and time.monotonic() - killed < 9:
            await watched(term, service)
            await asyncio.sleep(0.3)

    assert (await job(conn, job_id))["state"] == "retryable"
    assert 2.0 < time.monotonic() - killed < 5.0


async def test_a_supervisor_whose_session_was_ended_comes_back_before_its_host_is_taken_for_dead(
    conn: Connection, database: str
) -> None:
    host = Host(database)
    job_id = await running_job(conn)
    async with term_of(settings_for(database)) as term:
        service = Rescuer(term, RiverLeadership(term))
        await eventually(lambda: host.until > 0, within=5)
        until = time.monotonic() + 6
        while time.monotonic() < until:
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%supervisor/lease'"
                " AND datname = current_database()"
            )
            await watched(term, service)
            await asyncio.sleep(0.5)

    assert (await job(conn, job_id))["state"] == "running"
    await host.die()


async def test_a_host_that_falls_silent_with_its_session_open_is_left_to_its_lease(
    conn: Connection, database: str
) -> None:
    host = Host(database)
    job_id = await running_job(conn)
    async with term_of(settings_for(database)) as term, await AsyncConnection.connect(database) as other:
        service = Rescuer(term, RiverLeadership(term))
        await eventually(lambda: host.until > 0, within=5)
        await host.die()
        # What the server still believes of a host that is cut off: the session is there.
        await other.execute(
            "SELECT pg_advisory_lock(%s, hashtext(current_schema() || '.host-1'))", (leases.HOST_LOCK_CLASS,)
        )
        until = time.monotonic() + 5
        while time.monotonic() < until:
            await watched(term, service)
            await asyncio.sleep(0.5)
        await other.close()
        await watched(term, service)
        await asyncio.sleep(0.5)
        await watched(term, service)

        assert (await job(conn, job_id))["state"] == "running"


async def test_a_death_whose_jobs_are_locked_costs_the_neighbours_no_lease(conn: Connection, database: str) -> None:
    host = Host(database)
    await eventually(lambda: host.until > 0, within=5)
    async with await AsyncConnection.connect(database) as operator:
        await operator.execute("LOCK TABLE river_job")
        host.lease.ended("host-1_4711_ffffffff", Death("executor died"))
        before = host.until

        await eventually(lambda: host.until > before + 3, within=12)

    await host.die()


async def test_what_a_killed_supervisor_left_is_taken_back_without_a_wait_by_one_who_knows_of_its_end(
    conn: Connection, database: str
) -> None:
    host = Host(database)
    job_id = await running_job(conn)
    await eventually(lambda: host.until > 0, within=5)
    successor = Host(database, run=False)

    with pytest.raises(Conflict, match="in use by process 4711"):
        await successor.lease.take_over(killed=4711)  # it is wrong: that one lives and holds the lock
    await host.die()
    async with asyncio.timeout(RENEW_SECONDS):
        await successor.lease.take_over(killed=4711)

    assert (await job(conn, job_id))["state"] == "retryable"


async def test_an_executor_whose_lease_is_over_stops_its_handlers_and_claims_nothing(
    client: AsyncClient, database: str
) -> None:
    handlers.gate.close()
    first = (await client.enqueue("gate", {})).job
    async with running_executor(settings_for(database)) as executor:
        await eventually(executor.executor.running, within=10)
        async with await AsyncConnection.connect(database) as other:
            await other.execute("LOCK TABLE riverrun_executor IN EXCLUSIVE MODE")  # nobody can renew a lease

            await eventually(lambda: not executor.executor.running(), within=13)
            second = (await client.enqueue("noop", {})).job
            await eventually(lambda: _given_back(client, first.id), within=5)
            assert (await client.get(second.id)).state == JobState.AVAILABLE
            await asyncio.sleep(0.5)
            assert (await client.get(second.id)).state == JobState.AVAILABLE
        handlers.gate.open()
        await eventually(lambda: _is(client, first.id, JobState.COMPLETED), within=10)
        await eventually(lambda: _is(client, second.id, JobState.COMPLETED), within=10)

    done = await client.get(first.id)
    assert done.attempt == 1
    assert done.errors == ()


async def test_an_executor_without_a_supervisor_has_a_lease_while_it_runs(
    client: AsyncClient, conn: Connection, database: str
) -> None:
    async with running_executor(settings_for(database)) as executor:
        await eventually(lambda: _leases(conn), within=5)
        assert await _leases(conn) == [(executor.context.incarnation,)]

    assert await _leases(conn) == []


async def _leases(conn: Connection) -> list[tuple[object, ...]]:
    query = "SELECT incarnation FROM riverrun_executor WHERE lease_until > now() + interval '5 s'"
    return await (await conn.execute(query)).fetchall()


async def _given_back(client: AsyncClient, job_id: int) -> bool:
    return (await client.get(job_id)).attempt == 0


async def _is(client: AsyncClient, job_id: int, state: JobState) -> bool:
    return (await client.get(job_id)).state == state


@pytest.mark.parametrize(
    ("by_hand", "crashes", "max_attempts", "state", "attempt"),
    [
        (True, 2, 1, "pending", 0),
        (True, 23, 1, "pending", 0),
        (True, 24, 25, "discarded", 1),
        (True, 24, 100, "pending", 0),
        (False, 2, 25, "discarded", 1),
    ],
)
async def test_a_kill_by_hand_costs_a_job_that_ran_alone_nothing_until_it_has_crashed_too_often(
    conn: Connection, by_hand: bool, crashes: int, max_attempts: int, state: str, attempt: int
) -> None:
    job_id = await running_job(conn)
    await conn.execute(
        "UPDATE river_job SET attempt = 1, max_attempts = %s, metadata = %s",
        (max_attempts, Jsonb({"riverrun:crashes": crashes})),
    )

    death = Death("executor died", alone=True, by_hand=by_hand)
    rescued, done = await Statements().run(conn, leases.settle(OURS, death))

    assert ([(each.id, each.state) for each in rescued], done) == ([(job_id, state)], True)
    after = await job(conn, job_id)
    assert (after["attempt"], len(after["errors"])) == (attempt, 1)
