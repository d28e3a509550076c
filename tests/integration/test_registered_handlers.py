"""What the registry of handlers changes in a running executor, and jobs that services run."""

from __future__ import annotations

import asyncio
import itertools
import time
from datetime import timedelta
from typing import Any

import grpc
import pytest
from standardwebhooks.webhooks import Webhook

from riverrun import AsyncClient, Job, JobState
from riverrun.database.statements import Steps
from riverrun.registration import registration
from riverrun.store import attempts, registry
from riverrun_executor.proto.riverrun.v1.handler_pb2 import Progress, RunEvent, RunResult
from support import handlers
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.grpc_server import Script as GrpcScript
from support.grpc_server import fault_service
from support.http_server import FaultServer, Script, fault_server

WITHIN = 10.0
OBEYED = 3.0
"""Two seconds are promised; the rest is for a slow machine."""


@pytest.fixture(autouse=True)
async def closed_gate() -> None:
    """Let every test begin with the gate closed."""
    handlers.gate.close()


async def register(client: AsyncClient, kind: str, **said: Any) -> None:
    """Register a handler, or replace the one that is there."""
    new = registration(kind, said.pop("name", "Handler"), said.pop("type", "http"), **said)
    await client.run(registry.register(new, replace=True))


async def attempted(client: AsyncClient, job_id: int, *, times: int = 1) -> Job:
    """Wait until a job was attempted ``times`` and does not run, and return it."""

    async def done() -> bool:
        job = await client.get(job_id)
        return job.attempt >= times and job.state != JobState.RUNNING

    await eventually(done, within=WITHIN)
    return await client.get(job_id)


async def finished(client: AsyncClient, database: str, kind: str, args: Any = "{}", **options: Any) -> Job:
    """Enqueue a job, run it once, and return it as the attempt left it."""
    job = (await client.enqueue(kind, args, **options)).job
    async with running_executor(settings_for(database)):
        return await attempted(client, job.id)


async def test_a_service_gets_the_bytes_that_the_database_keeps(
    client: AsyncClient, database: str, service: FaultServer
) -> None:
    service.script = Script(
        headers={"Content-Type": "application/json"}, body=b'{"big": 98765432109876543210987654321, "text": "\\u0000"}'
    )
    await register(client, "custom_task", endpoint_url=service.url())

    job = await finished(
        client, database, "custom_task", '{"z": 1,"big":123456789012345678901234567890, "f":1.10, "t":"\\u00e9"}'
    )

    assert job.state == JobState.COMPLETED
    assert job.args_text.encode() in service.received[0].body
    assert b'"big": 123456789012345678901234567890' in service.received[0].body
    assert b'"f": 1.10' in service.received[0].body
    assert job.metadata["output"] == {"big": 98765432109876543210987654321, "text": "\ufffd"}


async def test_a_service_that_does_not_answer_runs_out_of_time_and_is_hung_up_on(
    client: AsyncClient, database: str, service: FaultServer
) -> None:
    service.script = Script(body=b"x" * 100, pace=1.0)
    await register(client, "custom_task", endpoint_url=service.url(), timeout=0.5)

    job = await finished(client, database, "custom_task")

    assert job.errors[0].error == "the handler did not finish within 0.5 s"
    assert service.received[0].headers["Job-Timeout"] == "0.5"
    await eventually(lambda: service.dropped == 1, within=WITHIN)


async def test_a_service_that_drips_header_fields_for_ever_runs_out_of_time_and_holds_no_slot(
    client: AsyncClient, database: str, service: FaultServer
) -> None:
    service.scripts["/drips"] = Script(raw=b"HTTP/1.1 200 OK\r\n", endless=b"X-More: 1\r\n", pace=0.05)
    await register(client, "drips", endpoint_url=service.url("/drips"), timeout=1)
    await register(client, "answers", endpoint_url=service.url("/answers"))
    dripped = (await client.enqueue("drips", {})).job

    async with running_executor(settings_for(database), slots=1):
        await eventually(lambda: service.received, within=WITHIN)
        behind = (await client.enqueue("answers", {})).job
        ended = [await attempted(client, job.id) for job in (dripped, behind)]

    assert [error.error for error in ended[0].errors] == ["the handler did not finish within 1 s"]
    assert ended[1].state == JobState.COMPLETED
    await eventually(lambda: service.dropped == 1, within=WITHIN)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("fault", ["refuses", "hangs"])
async def test_a_failed_job_waits_as_the_registration_of_its_service_says(
    client: AsyncClient, database: str, protocol: str, fault: str
) -> None:
    async with fault_server() if protocol == "http" else fault_service() as service:
        delay = 60 if fault == "hangs" else 0
        refusal = grpc.StatusCode.ABORTED
        service.script = (
            Script(status=500, delay=delay) if protocol == "http" else GrpcScript(code=refusal, delay=delay)
        )
        settings = {"backoff": {"type": "fixed", "delay_s": 3600}}
        await register(client, "call", type=protocol, endpoint_url=service.url(""), timeout=0.3, settings=settings)

        job = await finished(client, database, "call")

    assert job.errors[0].at is not None
    assert job.state == JobState.RETRYABLE
    assert (job.scheduled_at - job.errors[0].at).total_seconds() == pytest.approx(3600, abs=5)


async def test_cancelling_a_job_hangs_up_on_its_service(
    client: AsyncClient, database: str, service: FaultServer
) -> None:
    service.script = Script(delay=60)
    await register(client, "custom_task", endpoint_url=service.url())
    job = (await client.enqueue("custom_task", {})).job

    async with running_executor(settings_for(database)):
        await eventually(lambda: service.received, within=WITHIN)
        await client.cancel(job.id)
        job = await attempted(client, job.id)

    assert job.state == JobState.CANCELLED
    assert service.dropped == 1


async def test_a_service_that_discards_ends_the_job(client: AsyncClient, database: str, service: FaultServer) -> None:
    service.script = Script(status=422, body=b"no such \x00 address")
    await register(client, "custom_task", endpoint_url=service.url())

    job = await finished(client, database, "custom_task")

    assert job.state == JobState.DISCARDED
    assert [error.error for error in job.errors] == ["HTTP 422: no such \ufffd address"]


async def test_one_connection_serves_the_jobs_of_a_slot(
    client: AsyncClient, database: str, service: FaultServer
) -> None:
    await register(client, "custom_task", endpoint_url=service.url())
    jobs = await client.enqueue_many([{"kind": "custom_task", "args": {}} for _ in range(10)])

    async with running_executor(settings_for(database), slots=1):
        for result in jobs:
            await attempted(client, result.job.id)

    assert len(service.received) == 10
    assert len({request.port for request in service.received}) == 1


async def test_a_running_executor_obeys_every_change_of_the_registry(
    client: AsyncClient, database: str, service: FaultServer
) -> None:
    async def reached(path: str) -> bool:
        await client.enqueue("noop", {})
        return any(request.path == path for request in service.received)

    async with running_executor(settings_for(database)):
        local = await attempted(client, (await client.enqueue("noop", {})).job.id)
        assert (local.state, service.received) == (JobState.COMPLETED, [])

        await register(client, "noop", endpoint_url=service.url("/first"))
        await eventually(lambda: reached("/first"), within=OBEYED, every=0.1)

        await client.run(registry.update("noop", {"endpoint_url": service.url("/second")}))
        await eventually(lambda: reached("/second"), within=OBEYED, every=0.1)

        await client.run(registry.delete("noop", force=True))
        await eventually(lambda: _no_more(client, service), within=OBEYED, every=0.1)


async def _no_more(client: AsyncClient, service: FaultServer) -> bool:
    """Return whether a job is run without the service."""
    before = len(service.received)
    job = await attempted(client, (await client.enqueue("noop", {}, priority=1)).job.id)
    return job.state == JobState.COMPLETED and len(service.received) == before


async def test_an_executor_looks_for_changes_every_two_seconds_whatever_else_it_has_to_write(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def noted(queue: str, **said: Any) -> Steps[attempts.Directives]:
        looks.append(time.monotonic())
        return directives(queue, **said)

    directives = attempts.directives
    monkeypatch.setattr(attempts, "directives", noted)

    async with running_executor(settings_for(database)) as executor:
        until = time.monotonic() + WITHIN
        while len(looks) < 4 and time.monotonic() < until:
            executor.executor._services_changed()
            await asyncio.sleep(0.95)  # so that the beat before the look is due comes just too early

    assert max(later - earlier for earlier, later in itertools.pairwise(looks[:4])) < 2.0


async def test_a_running_executor_signs_with_both_secrets_until_the_time_of_the_old_one_is_over(
    client: AsyncClient, database: str, service: FaultServer
) -> None:
    new = registration("call", "Call", "http", endpoint_url=service.url())
    old_secret = (await client.run(registry.register(new))).signing_secret or ""

    async def signed_by(*secrets: str) -> bool:
        before = len(service.received)
        await attempted(client, (await client.enqueue("call", {})).job.id)
        request = service.received[before]
        for secret in secrets:
            Webhook(secret).verify(request.body, {name.lower(): value for name, value in request.headers.items()})
        return len(request.headers["webhook-signature"].split()) == len(secrets)

    async with running_executor(settings_for(database)):
        assert await signed_by(old_secret)

        new_secret = await client.run(registry.rotate_secret("call", keep=timedelta(seconds=4)))

        await eventually(lambda: signed_by(old_secret), within=OBEYED, every=0.1)
        await eventually(lambda: signed_by(new_secret), within=4 + OBEYED, every=0.1)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
async def test_of_a_service_with_a_limit_only_so_many_jobs_are_called_for_at_once(
    client: AsyncClient, database: str, protocol: str
) -> None:
    async with fault_server() if protocol == "http" else fault_service() as service:
        service.script = Script(delay=60) if protocol == "http" else GrpcScript(delay=60)
        await register(client, "call", type=protocol, endpoint_url=service.url(""), settings={"concurrency": 2})
        await client.enqueue_many([{"kind": "call", "args": {}} for _ in range(5)])
        last = (await client.enqueue("noop", {}, priority=9)).job

        async with running_executor(settings_for(database), slots=10):
            assert (await attempted(client, last.id)).state == JobState.COMPLETED
            await eventually(lambda: len(service.received) == 2, within=WITHIN)
            waiting = (await client.list(kind="call", state=JobState.AVAILABLE)).jobs

        assert len(waiting) == 3
        assert len(service.received) == 2


async def test_without_a_registration_and_a_function_a_kind_is_unknown(
    client: AsyncClient, database: str, service: FaultServer
) -> None:
    await register(client, "custom_task", endpoint_url=service.url())
    async with running_executor(settings_for(database)):
        await attempted(client, (await client.enqueue("custom_task", {})).job.id)
        await client.run(registry.delete("custom_task", force=True))

        async def unknown() -> bool:
            job = await attempted(client, (await client.enqueue("custom_task", {})).job.id)
            return bool(job.errors) and "no handler is registered" in job.errors[0].error

        await eventually(unknown, within=OBEYED, every=0.1)


async def test_a_kind_can_be_given_to_a_function_of_another_name(client: AsyncClient, database: str) -> None:
    await register(client, "welcome", name="greet", type="local")

    job = await finished(client, database, "welcome", {"name": "Ada"})

    assert job.metadata["output"] == {"text": "hello Ada"}


async def test_the_time_limit_of_a_registration_wins_over_the_functions_own(client: AsyncClient, database: str) -> None:
    await register(client, "slow", name="slow", type="local", timeout=0.3)
    await register(client, "waits", name="gate", type="local", timeout=0.4)

    own = await finished(client, database, "slow")
    other = await finished(client, database, "waits")

    assert own.errors[0].error == "the handler did not finish within 0.3 s"
    assert other.errors[0].error == "the handler did not finish within 0.4 s"


async def test_a_registration_that_cannot_be_run_fails_with_the_reason(client: AsyncClient, database: str) -> None:
    await register(client, "custom_task", type="local", name="nobody")

    job = await finished(client, database, "custom_task")

    assert job.state == JobState.AVAILABLE
    assert job.errors[0].error == "the handler 'nobody' is registered, but no configured module exports it"


async def test_a_grpc_service_runs_jobs(client: AsyncClient, database: str) -> None:
    async with fault_service() as service:
        service.script = GrpcScript(result=RunResult(output_json=b'{"big": 98765432109876543210}'))
        await register(client, "custom_task", type="grpc", endpoint_url=service.url(), timeout=30)

        job = await finished(client, database, "custom_task", '{"f":1.10}')

        assert (job.state, job.metadata["output"]) == (JobState.COMPLETED, {"big": 98765432109876543210})
        assert service.received[0].args_json == job.args_text.encode()
        # gRPC writes a limit of this length on the wire in tenths of a second, rounded up.
        assert 0 < (service.remaining[0] or 0) <= 30.2


async def test_a_grpc_service_that_hangs_runs_out_of_time_and_one_that_is_cancelled_is_told(
    client: AsyncClient, database: str
) -> None:
    async with fault_service() as service:
        service.script = GrpcScript(delay=60, events=[RunEvent(progress=Progress(fraction=0.5))])
        await register(client, "hangs", type="grpc", endpoint_url=service.url(), timeout=0.3)
        await register(client, "streams", type="grpc", endpoint_url=service.url("/RunStream"))

        hung = await finished(client, database, "hangs", max_attempts=1)
        assert hung.state == JobState.DISCARDED
        # The deadline of the call and the time limit of the attempt are the same moment; either may come first.
        assert hung.errors[0].error in {
            "the handler did not finish within 0.3 s",
            "DEADLINE_EXCEEDED: Deadline Exceeded",
        }

        job = (await client.enqueue("streams", {})).job
        async with running_executor(settings_for(database)):
            await eventually(lambda: len(service.received) == 2, within=WITHIN)
            await client.cancel(job.id)
            assert (await attempted(client, job.id)).state == JobState.CANCELLED
        await eventually(lambda: service.dropped == 2, within=WITHIN)


async def test_what_a_service_says_is_kept_in_a_form_that_the_database_takes(
    client: AsyncClient, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    said = "nul \x00 and more than is kept: " + "é" * 1_000

    async def flagged() -> bool:
        return (await client.run(registry.handler("custom_task"))).health.misconfigured != ""

    async with fault_service() as service:
        service.script = GrpcScript(code=grpc.StatusCode.UNAUTHENTICATED, message=said)
        await register(client, "custom_task", type="grpc", endpoint_url=service.url())
        job = (await client.enqueue("custom_task", {})).job
        async with running_executor(settings_for(database)):
            await attempted(client, job.id)
            await eventually(flagged, within=WITHIN)
            await attempted(client, job.id, times=2)

    kept = (await client.run(registry.handler("custom_task"))).health.misconfigured
    assert kept.startswith("UNAUTHENTICATED: nul \ufffd and more")
    assert len(kept.encode()) <= 1_000
    assert [record.message for record in caplog.records].count("handler_misconfigured") == 1
