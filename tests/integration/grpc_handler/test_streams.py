"""An answer that a gRPC service streams: log lines, progress, output, and last the result."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from riverrun.outcome import Completed, Failed, Outcome, Snoozed
from riverrun_executor.handlers.grpc import MAX_LOG_LINES, STREAM_PATH, GrpcHandlers
from riverrun_executor.proto.riverrun.v1.handler_pb2 import LogLine, Progress, RunEvent, RunResult
from support.attempts import claimed, context_of
from support.eventually import eventually
from support.grpc_calls import WITHIN, call
from support.grpc_server import FaultService, Script


async def noted(services: GrpcHandlers, service: FaultService, *events: RunEvent) -> tuple[Outcome, dict[str, Any]]:
    """Run one attempt whose service streams ``events``; return its outcome and what was noted with the job."""
    service.script = Script(events=events)
    job = claimed()
    context = context_of(job)
    outcome = await call(services, service.url(STREAM_PATH), job, context)
    return outcome, json.loads(context.all_notes() or "{}")


async def test_a_stream_brings_progress_output_and_a_result(
    service: FaultService, services: GrpcHandlers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    outcome, notes = await noted(
        services,
        service,
        RunEvent(log=LogLine(level="warning", message="slow %s")),
        RunEvent(progress=Progress(fraction=0.5, note="half way")),
        RunEvent(output_json=b'{"pages": 5}'),
        RunEvent(),  # of a later release
        RunEvent(result=RunResult(outcome=RunResult.SNOOZE, delay=Duration(seconds=7))),
    )

    assert outcome == Snoozed(timedelta(seconds=7))
    assert notes.pop("river:log")[0]["log"].endswith("WARNING slow %s\n")
    assert notes == {"riverrun:progress": {"fraction": 0.5, "note": "half way"}, "output": {"pages": 5}}
    (line,) = [record for record in caplog.records if record.name == "riverrun.job"]
    assert (line.getMessage(), line.levelno, line.__dict__["job_id"]) == ("slow %s", logging.WARNING, 7)


@pytest.mark.parametrize(("fraction", "shown"), [(-1.0, 0.0), (7.0, 1.0), (float("nan"), 0.0)])
async def test_a_progress_out_of_range_is_brought_into_it(
    service: FaultService, services: GrpcHandlers, fraction: float, shown: float
) -> None:
    outcome, notes = await noted(
        services, service, RunEvent(progress=Progress(fraction=fraction)), RunEvent(result=RunResult())
    )

    assert outcome == Completed()
    assert notes["riverrun:progress"]["fraction"] == shown


async def test_a_stream_without_a_result_is_retried(service: FaultService, services: GrpcHandlers) -> None:
    outcome, notes = await noted(services, service, RunEvent(progress=Progress(fraction=0.5)))

    assert outcome == Failed("the stream ended without a result", error_type="incomplete_stream")
    assert notes["riverrun:progress"]["fraction"] == 0.5


async def test_a_stream_that_breaks_is_retried_by_its_status(service: FaultService, services: GrpcHandlers) -> None:
    service.script = Script(events=[RunEvent(progress=Progress(fraction=0.5))], code=grpc.StatusCode.UNAVAILABLE)

    assert await call(services, service.url(STREAM_PATH)) == Failed("UNAVAILABLE: no luck", error_type="unavailable")


async def test_a_service_that_goes_on_after_its_result_is_not_waited_for(
    service: FaultService, services: GrpcHandlers
) -> None:
    service.script = Script(events=[RunEvent(result=RunResult())], pace=60)

    assert await call(services, service.url(STREAM_PATH)) == Completed()
    await eventually(lambda: service.dropped == 1, within=WITHIN)


async def test_a_service_that_never_stops_logging_is_not_listened_to(
    service: FaultService, services: GrpcHandlers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lines = [RunEvent(log=LogLine(message="x" * 10_000))] * (MAX_LOG_LINES + 50)

    outcome, _ = await noted(services, service, *lines, RunEvent(result=RunResult()))

    assert outcome == Completed()
    passed_on = [record.getMessage() for record in caplog.records if record.name == "riverrun.job"]
    assert len(passed_on) == MAX_LOG_LINES
    assert max(len(line) for line in passed_on) < 10_000
