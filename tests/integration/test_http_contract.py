"""What receivers rely on: signatures that the published library verifies, streams, certificates, further headers."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from riverrun.calls import call_settings
from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.outcome import Completed, Failed, Interrupted, Outcome, Snoozed
from riverrun.registration import Registration
from riverrun.store.registry import RegisteredHandler
from riverrun.webhook import Credentials, new_secret
from riverrun_executor.handlers.http import LAST_WORDS_SECONDS, HttpHandlers
from riverrun_executor.handlers.http_outcome import RESULT_TYPE
from riverrun_executor.handlers.surroundings import Surroundings
from support import http_calls
from support.attempts import claimed, context_of, surroundings
from support.eventually import eventually
from support.http_server import FaultServer, Script

WITHIN = 10.0
AT = datetime(2026, 1, 1, tzinfo=UTC)


async def post(
    url: str,
    job: ClaimedJob | None = None,
    *,
    context: Context | None = None,
    around: Surroundings | None = None,
    credentials: Credentials | None = None,
    **settings: Any,
) -> Outcome:
    """Run one attempt by a service that is registered with ``settings``."""
    job = job or claimed()
    around = around or surroundings()
    if credentials is not None:
        around.credentials[job.kind] = credentials
    services = HttpHandlers(around)
    try:
        return await http_calls.post(services, url, job, context, **settings)
    finally:
        await services.close()


def verified(secret: str, request: Any) -> Any:
    """Return the body of a request as the published library hands it on."""
    return Webhook(secret).verify(request.body, {name.lower(): value for name, value in request.headers.items()})


async def test_the_published_library_verifies_with_the_new_and_the_old_secret(service: FaultServer) -> None:
    new, old = new_secret(), new_secret()

    await post(service.url(), claimed('{"é": 1.10}'), credentials=Credentials((new, old), "key"))

    (request,) = service.received
    assert request.headers["webhook-id"] == "job_7"
    assert verified(new, request)["data"]["args"] == {"é": 1.1}
    assert verified(old, request) == verified(new, request)
    with pytest.raises(WebhookVerificationError):
        verified(new_secret(), request)


@pytest.mark.parametrize(
    ("metadata", "identity"),
    [({}, "job_7"), ({"snoozes": 2}, "job_7_2"), ({"snoozes": 2, "riverrun:reruns": 1}, "job_7_3")],
)
async def test_what_is_to_be_worked_again_has_another_id(
    service: FaultServer, metadata: dict[str, Any], identity: str
) -> None:
    await post(service.url(), claimed(metadata=metadata), credentials=Credentials((new_secret(),), "key"))

    assert service.received[0].headers["webhook-id"] == identity


async def test_arguments_alone_or_as_a_cloud_event_can_be_sent(service: FaultServer) -> None:
    await post(service.url(), claimed('{"f": 1.10}'), body="args")
    await post(service.url(), claimed('{"f": 1.10}'), body="cloudevents")

    assert [request.body for request in service.received] == [b'{"f": 1.10}'] * 2
    event = {name: value for name, value in service.received[1].headers.items() if name.startswith("ce-")}
    assert event == {
        "ce-specversion": "1.0",
        "ce-id": "job_7",
        "ce-type": "email",
        "ce-source": "/riverrun/queue/default",
        "ce-time": "2026-01-02T03:04:04.999995+00:00",
    }


async def test_header_fields_take_secrets_from_where_this_host_allows(
    service: FaultServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HANDLER_TOKEN", "from-environment")
    (tmp_path / "key").write_text("from-file\n", encoding="utf-8")
    headers = {
        "X-Plain": "text",
        "Authorization": {"env": "HANDLER_TOKEN", "prefix": "Bearer "},
        "X-Api-Key": {"file": str(tmp_path / "key")},
    }

    await post(service.url(), around=surroundings(secrets=["HANDLER_*", f"{tmp_path}/*"]), headers=headers)

    sent = service.received[0].headers
    assert (sent["X-Plain"], sent["Authorization"], sent["X-Api-Key"]) == (
        "text",
        "Bearer from-environment",
        "from-file",
    )


@pytest.mark.parametrize(
    "header", [{"env": "DATABASE_URL"}, {"env": "HANDLER_EMPTY"}, {"file": "/etc/hostname"}, {"file": "/nowhere"}]
)
async def test_a_secret_that_may_not_be_named_or_is_not_there_is_never_sent(
    service: FaultServer, monkeypatch: pytest.MonkeyPatch, header: dict[str, str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:password@host/db")

    outcome = await post(service.url(), around=surroundings(), headers={"Authorization": header})

    assert outcome == Interrupted()
    assert service.received == []


LINES = [
    {"t": "log", "level": "warning", "msg": "began"},
    {"t": "progress", "pct": 40, "note": "half-way"},
    {"t": "output", "data": {"pages": 3}},
    {"t": "of a later release"},
]


def streamed(*lines: Any, media_type: str = "application/x-ndjson", **script: Any) -> Script:
    prefix, end = (b"data: ", b"\n\n") if media_type == "text/event-stream" else (b"", b"\n")
    body = b"".join(prefix + json.dumps(line).encode() + end for line in lines)
    return Script(headers={"Content-Type": media_type}, body=body, **script)


@pytest.mark.parametrize("media_type", ["application/x-ndjson", "text/event-stream"])
async def test_a_stream_says_how_far_it_is_and_last_how_it_ended(
    service: FaultServer, media_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    service.script = streamed(*LINES, {"t": "result", "outcome": "complete"}, media_type=media_type)
    job = claimed()
    context = context_of(job)

    assert await post(service.url(), job, context=context) == Completed()

    assert json.loads(context.all_notes() or "")["output"] == {"pages": 3}
    assert json.loads(context.all_notes() or "")["riverrun:progress"] == {"fraction": 0.4, "note": "half-way"}
    assert [record.getMessage() for record in caplog.records if record.name.startswith("riverrun.job")] == ["began"]


async def test_a_stream_ends_in_any_outcome(service: FaultServer) -> None:
    service.script = streamed({"t": "result", "outcome": "snooze", "delay_s": 9})

    outcome = await post(service.url())

    assert isinstance(outcome, Snoozed)
    assert outcome.delay.total_seconds() == 9


def answered(document: dict[str, Any]) -> Script:
    return Script(headers={"Content-Type": RESULT_TYPE}, body=json.dumps(document).encode())


@pytest.mark.parametrize("script", [answered, lambda document: streamed({"t": "result", **document})])
async def test_a_result_leaves_metadata_and_log_lines_with_its_job(
    service: FaultServer, script: Callable[[dict[str, Any]], Script], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    logs = ["began", {"level": "warning", "msg": "slow"}]
    service.script = script({"outcome": "snooze", "metadata": {"shelf": "B"}, "logs": logs})
    job = claimed()
    context = context_of(job)

    assert isinstance(await post(service.url(), job, context=context), Snoozed)

    left = json.loads(context.all_notes() or "")
    assert left["shelf"] == "B"
    assert re.findall(r"(INFO|WARNING) (\w+)\n", left["river:log"][0]["log"]) == [
        ("INFO", "began"),
        ("WARNING", "slow"),
    ]


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ({"metadata": {"shelf": "B", "riverrun:progress": 1}}, "metadata.riverrun:progress"),
        ({"metadata": ["B"]}, "metadata"),
        ({"metadata": {"shelf": "\0"}}, "metadata"),
        ({"metadata": {"shelf": "B"}, "logs": "began"}, "logs"),
        ({"metadata": {"shelf": "B"}, "logs": ["began"] * 1_001}, "logs"),
        ({"metadata": {"shelf": "B"}, "logs": ["began", 7]}, "logs[1]"),
    ],
)
async def test_a_result_that_leaves_what_is_not_allowed_changes_nothing_and_is_retried(
    service: FaultServer, beside: dict[str, Any], said: str
) -> None:
    service.script = answered({"outcome": "complete", "output": 1, **beside})
    job = claimed()
    context = context_of(job)

    outcome = await post(service.url(), job, context=context)

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "protocol"
    assert outcome.error.startswith(f"the result cannot be taken: {said}: ")
    assert context.all_notes() is None


@pytest.mark.parametrize(
    ("script", "error_type"),
    [
        (streamed(*LINES), "incomplete_stream"),
        (streamed(*LINES, fault="reset"), "reset"),
        (streamed(*LINES, fault="close"), "reset"),
        (streamed(["no", "object"]), "protocol"),
        (Script(headers={"Content-Type": "application/x-ndjson"}, body=b"{" * 1_500_000), "too_large"),
        (Script(headers={"Content-Type": "application/x-ndjson"}, body=b"[" * 1_000), "protocol"),
    ],
)
async def test_a_stream_that_breaks_off_is_retried(service: FaultServer, script: Script, error_type: str) -> None:
    service.script = script

    outcome = await post(service.url())

    assert isinstance(outcome, Failed)
    assert outcome.error_type == error_type


async def test_a_stream_that_falls_silent_is_given_up(service: FaultServer) -> None:
    service.script = streamed(*LINES, pace=3.0)

    outcome = await post(service.url(), idle_timeout=1)

    assert outcome == Failed("the service was silent for 1 s", error_type="idle_timeout")


async def give_up(services: HttpHandlers, service: FaultServer, reason: str) -> None:
    """Begin an attempt by a service that does not answer, and stop it."""
    said = call_settings({"cancel_url": service.url("/cancel")})
    registration = Registration("email", "E", "http", service.url("/slow"), settings=said)
    handler = services.connect(RegisteredHandler(registration, None, 1, AT, AT))
    job = claimed()
    context = context_of(job)
    attempt = asyncio.create_task(handler.run(job, context), name="attempt")
    await eventually(lambda: service.received, within=WITHIN)
    context.stopped_by = reason
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt


@pytest.mark.parametrize("reason", ["cancel", "timeout", "shutdown"])
async def test_a_service_is_told_that_an_attempt_was_given_up_although_its_executor_ends(
    service: FaultServer, reason: str
) -> None:
    service.scripts = {"/slow": Script(delay=60), "/cancel": Script(delay=0.2)}
    services = HttpHandlers(surroundings())

    await give_up(services, service, reason)
    await services.close()

    assert [request.path for request in service.received] == ["/slow", "/cancel"]
    assert json.loads(service.received[1].body) == {"job_id": 7, "attempt": 2, "reason": reason}
    assert service.dropped == 1  # the job's own request; the other one was answered


async def test_a_cancel_url_that_does_not_answer_holds_no_executor_up(service: FaultServer) -> None:
    service.script = Script(delay=60)
    services = HttpHandlers(surroundings())

    await give_up(services, service, "shutdown")
    async with asyncio.timeout(LAST_WORDS_SECONDS + 1.0):
        await services.close()

    await eventually(lambda: service.dropped == 2, within=WITHIN)


@pytest.mark.parametrize(
    ("only", "host", "reached"),
    [
        (["127.0.0.0/8"], "127.0.0.1", True),
        (["localhost"], "localhost", True),
        (["*.internal"], "127.0.0.1", False),
        (["10.0.0.0/8"], "localhost", False),
        (["10.0.0.0/8"], "127.0.0.1", False),
    ],
)
async def test_a_configured_list_turns_everything_else_off(
    service: FaultServer, only: list[str], host: str, reached: bool
) -> None:
    await post(service.url(host=host), around=surroundings(*only))

    assert bool(service.received) is reached
