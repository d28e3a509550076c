"""A service that goes away: its jobs wait, the fleet agrees, one job tries it, and nothing is lost or used up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun import AsyncClient, JobState
from riverrun.registration import registration
from riverrun.store import handler_health, registry
from riverrun.telemetry.host_totals import own_samples
from support import handlers
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.http_server import FaultServer, Script, fault_server
from support.jobs import insert
from support.ports import free_port
from support.queries import value

WITHIN = 30.0


@pytest.fixture(autouse=True)
async def closed_gate() -> None:
    """Let every test begin with the gate closed."""
    handlers.gate.close()


@pytest.fixture
async def client(database: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(database) as client:
        yield client


async def found(conn: AsyncConnection[TupleRow]) -> list[tuple[Any, ...]]:
    """Return which combinations of state, attempt and "without errors" jobs have."""
    query = "SELECT DISTINCT state::text, attempt, errors IS NULL FROM river_job"
    return await (await conn.execute(query)).fetchall()


async def register(client: AsyncClient, url: str, **said: Any) -> None:
    new = registration("call", "Call", "http", endpoint_url=url, **said)
    await client.run(registry.register(new, replace=True))


async def health(client: AsyncClient) -> registry.HandlerHealth:
    return (await client.run(registry.handler("call"))).health


async def breaker_is(client: AsyncClient, state: str) -> bool:
    return (await health(client)).breaker == state


async def make_due(conn: AsyncConnection[TupleRow]) -> None:
    """Let the next probe be due now, and let executors see that."""
    await conn.execute(
        "UPDATE riverrun_handler_health SET probe_at = now(), revision = nextval('riverrun_revision_seq')"
        " WHERE breaker = 'open'"
    )


async def all_are(conn: AsyncConnection[TupleRow], state: str) -> bool:
    return {row[0] for row in await found(conn)} == {state}


async def test_an_outage_uses_up_no_attempt_and_the_backlog_is_worked_off_after_it(
    client: AsyncClient, database: str, conn: AsyncConnection[TupleRow]
) -> None:
    port = free_port()
    await register(client, f"http://127.0.0.1:{port}/")
    await client.enqueue_many([{"kind": "call", "args": {}} for _ in range(60)])

    async with running_executor(settings_for(database), slots=20):
        await eventually(lambda: breaker_is(client, "open"), within=WITHIN)
        await eventually(lambda: all_are(conn, "available"), within=WITHIN)
        assert await found(conn) == [("available", 0, True)]
        assert "connect" in (await health(client)).reason.lower()

        async with fault_server(port=port) as service:
            await make_due(conn)
            await eventually(lambda: all_are(conn, "completed"), within=WITHIN)

    assert len(service.received) == 60
    assert await found(conn) == [("completed", 1, True)]
    assert (await health(client)).breaker == "closed"


async def test_an_open_breaker_lets_one_job_through_and_its_failure_doubles_the_wait(
    client: AsyncClient, database: str, conn: AsyncConnection[TupleRow], service: FaultServer
) -> None:
    service.script = Script(status=502)
    await register(client, service.url())
    await client.enqueue_many([{"kind": "call", "args": {}} for _ in range(30)])

    async with running_executor(settings_for(database), slots=30):
        await eventually(lambda: breaker_is(client, "open"), within=WITHIN)
        await eventually(lambda: all_are(conn, "available"), within=WITHIN)
        before = len(service.received)
        await make_due(conn)

        async def probed() -> bool:
            return (await health(client)).failed_probes == 1

        await eventually(probed, within=WITHIN)

    assert len(service.received) == before + 1
    assert 5.0 < ((await health(client)).probe_in or 0) <= 10.0
    assert await value(conn, "SELECT count(*) FROM river_job WHERE attempt > 0") == 1


async def test_a_service_that_says_it_is_not_well_gets_no_job_to_try_it_with(
    client: AsyncClient, database: str, conn: AsyncConnection[TupleRow], service: FaultServer
) -> None:
    service.scripts["/health"] = Script(status=503)
    await register(client, service.url(), settings={"health_url": service.url("/health")})
    await client.run(handler_health.open_breaker("call", "it was down"))
    await client.enqueue("call", {})

    async with running_executor(settings_for(database)):
        await make_due(conn)

        async def probed() -> bool:
            return (await health(client)).failed_probes == 1

        async def given_back() -> bool:
            return await found(conn) == [("available", 0, True)]

        await eventually(probed, within=WITHIN)
        await eventually(given_back, within=WITHIN)
        assert {request.path for request in service.received} == {"/health"}
        service.scripts["/health"] = Script()
        await make_due(conn)
        await eventually(lambda: all_are(conn, "completed"), within=WITHIN)

    assert [request.path for request in service.received][-2:] == ["/health", "/handle"]


async def test_all_executors_leave_a_service_alone_that_one_of_them_found_dead(
    client: AsyncClient, database: str, service: FaultServer
) -> None:
    await register(client, service.url())
    await client.run(handler_health.open_breaker("call", "nobody listens"))

    async with running_executor(settings_for(database)):
        await client.enqueue("call", {})
        done = (await client.enqueue("noop", {}, priority=9)).job

        async def passed() -> bool:
            return (await client.get(done.id)).state == JobState.COMPLETED

        await eventually(passed, within=WITHIN)

    assert service.received == []


async def test_a_job_that_fails_alone_uses_up_its_attempt(
    client: AsyncClient, database: str, service: FaultServer
) -> None:
    service.script = Script(fault="reset")
    await register(client, service.url())
    job = (await client.enqueue("call", {})).job

    async with running_executor(settings_for(database)):

        async def failed() -> bool:
            return bool((await client.get(job.id)).errors)

        await eventually(failed, within=WITHIN)

    assert (await client.get(job.id)).attempt == 1
    assert (await health(client)).breaker == "closed"


async def test_errors_of_the_service_itself_open_the_breaker_and_count(
    client: AsyncClient, database: str, conn: AsyncConnection[TupleRow], service: FaultServer
) -> None:
    service.script = Script(status=500)
    await register(client, service.url())
    await client.enqueue_many([{"kind": "call", "args": {}} for _ in range(10)])

    async with running_executor(settings_for(database), slots=10):
        await eventually(lambda: breaker_is(client, "open"), within=WITHIN)

    assert (await health(client)).reason == "HTTP 500"
    assert await value(conn, "SELECT count(*) FROM river_job WHERE errors IS NULL") == 0


async def test_retry_after_lets_the_fleet_leave_the_service_alone_for_so_long(
    client: AsyncClient, database: str, conn: AsyncConnection[TupleRow], service: FaultServer
) -> None:
    service.script = Script(status=429, headers={"Retry-After": "600"})
    await register(client, service.url())
    await insert(conn, kind="call")

    async with running_executor(settings_for(database), slots=1):

        async def throttled() -> bool:
            return ((await health(client)).throttled_for or 0) > 500

        await eventually(throttled, within=WITHIN)
        await client.enqueue("call", {})
        done = (await client.enqueue("noop", {}, priority=9)).job

        async def passed() -> bool:
            return (await client.get(done.id)).state == JobState.COMPLETED

        await eventually(passed, within=WITHIN)

    assert len(service.received) == 1


async def test_a_service_that_is_gone_pauses_its_kind(client: AsyncClient, database: str, service: FaultServer) -> None:
    service.script = Script(status=410)
    await register(client, service.url())
    job = (await client.enqueue("call", {})).job

    async with running_executor(settings_for(database)):

        async def paused() -> bool:
            return (await client.run(registry.handler("call"))).paused_at is not None

        await eventually(paused, within=WITHIN)
        await eventually(lambda: _ended(client, job.id), within=WITHIN)

    assert (await client.get(job.id)).state == JobState.DISCARDED
    assert "gone" in (await health(client)).reason


async def test_a_service_that_is_gone_after_its_handler_was_deleted_stops_nothing(
    client: AsyncClient, database: str, service: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    service.script = Script(status=410, delay=0.5)
    await register(client, service.url())
    job = (await client.enqueue("call", {})).job

    async with running_executor(settings_for(database)):
        await eventually(lambda: service.received, within=WITHIN)
        await client.run(registry.delete("call", force=True))
        await eventually(lambda: _ended(client, job.id), within=WITHIN)
        await eventually(lambda: dropped(caplog), within=WITHIN)
        await obeys(client)

    assert dropped(caplog) == [("call", "handler call does not exist")]


async def test_what_the_database_refuses_of_a_service_is_dropped_and_keeps_nothing_else_from_being_written(
    client: AsyncClient, database: str, conn: AsyncConnection[TupleRow], service: FaultServer,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    await conn.execute("ALTER TABLE riverrun_handler_health ADD CHECK (misconfigured = '')")
    service.script = Script(status=404)
    await register(client, service.url())
    await client.enqueue("call", {})

    async with running_executor(settings_for(database)):
        await eventually(lambda: dropped(caplog), within=WITHIN)
        await obeys(client)

    assert "riverrun_handler_health" in dropped(caplog)[0][1]


def dropped(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return kind and reason of what was learnt about services and could not be written."""
    events = [record.__dict__ for record in caplog.records if record.message == "handler_change_dropped"]
    return [(event["kind"], event["error"]) for event in events]


async def obeys(client: AsyncClient) -> None:
    """Have a running job cancelled, which takes the connection over which services are written about."""
    job = (await client.enqueue("gate", {})).job

    async def is_in(state: JobState) -> bool:
        return (await client.get(job.id)).state == state

    await eventually(lambda: is_in(JobState.RUNNING), within=WITHIN)
    await client.cancel(job.id)
    await eventually(lambda: is_in(JobState.CANCELLED), within=WITHIN)


async def _ended(client: AsyncClient, job_id: int) -> bool:
    return (await client.get(job_id)).finalized_at is not None


@pytest.mark.parametrize("status", [401, 403, 404, 405])
async def test_an_answer_that_only_a_mistake_explains_is_flagged_and_retried(
    client: AsyncClient, database: str, service: FaultServer, status: int
) -> None:
    service.script = Script(status=status)
    await register(client, service.url())
    job = (await client.enqueue("call", {})).job

    async with running_executor(settings_for(database)):

        async def flagged() -> bool:
            return (await health(client)).misconfigured.startswith(f"HTTP {status}")

        await eventually(flagged, within=WITHIN)

        async def failed() -> bool:
            return bool((await client.get(job.id)).errors)

        await eventually(failed, within=WITHIN)

    assert (await client.get(job.id)).state in {JobState.AVAILABLE, JobState.RETRYABLE}


async def test_a_secret_that_a_host_does_not_have_uses_up_no_attempt(
    client: AsyncClient, database: str, conn: AsyncConnection[TupleRow], service: FaultServer
) -> None:
    settings = {"headers": {"Authorization": {"env": "HANDLER_NOT_THERE"}}}
    await register(client, service.url(), settings=settings)
    job = (await client.enqueue("call", {})).job

    async with running_executor(settings_for(database)):

        async def flagged() -> bool:
            return "HANDLER_NOT_THERE" in (await health(client)).misconfigured

        await eventually(flagged, within=WITHIN)

    found = await client.get(job.id)
    assert (found.attempt, found.state, service.received) == (0, JobState.AVAILABLE, [])
    assert await value(conn, "SELECT misconfigured FROM riverrun_handler_health") != ""


async def test_changing_a_handler_closes_its_breaker(client: AsyncClient, service: FaultServer) -> None:
    await register(client, "http://127.0.0.1:1/")
    await client.run(handler_health.open_breaker("call", "nobody listens"))

    await client.run(registry.update("call", {"endpoint_url": service.url()}))

    assert (await health(client)).breaker == "closed"


async def test_transitions_are_counted(client: AsyncClient, database: str, service: FaultServer) -> None:
    def opened() -> float:
        return sum(
            value
            for name, labels, value in own_samples()
            if name == "riverrun_handler_breaker_transitions_total" and labels == {"kind": "call", "to": "open"}
        )

    before = opened()
    service.script = Script(fault="close")
    await register(client, service.url())
    await client.enqueue_many([{"kind": "call", "args": {}} for _ in range(10)])

    async with running_executor(settings_for(database), slots=10):
        await eventually(lambda: opened() == before + 1, within=WITHIN)
