"""One attempt by an HTTP service: what is sent, what comes of every fault, and what is never done."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Outcome, Snoozed
from riverrun_executor.breaker import THRESHOLD
from riverrun_executor.handlers.http import MAX_ANSWER_BYTES, HttpHandlers
from riverrun_executor.handlers.http_request import MAX_BODY_BYTES
from support.attempts import claimed, context_of, surroundings
from support.eventually import eventually
from support.http_calls import post
from support.http_server import FaultServer, Script
from support.ports import free_port

WITHIN = 10.0


async def test_the_request_says_everything_about_the_attempt(service: FaultServer, services: HttpHandlers) -> None:
    args = '{"big": 123456789012345678901234567890, "f": 1.10, "text": "é\\u0007"}'
    metadata = {"tenant": 12345678901234567890123, "river:log": 1, "riverrun:progress": 2, "snoozes": 3}
    job = claimed(args, metadata=metadata)
    context = context_of(job)
    context.limit_seconds = 30

    assert await post(services, service.url("/handle?a=b"), job, context) == Completed()

    (request,) = service.received
    assert (request.method, request.path) == ("POST", "/handle")
    assert b',"args":' + args.encode() + b"}}" in request.body
    assert b'"metadata":{"tenant":12345678901234567890123,"snoozes":3}' in request.body
    envelope = orjson.loads(request.body)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(envelope.pop("timestamp"))) < timedelta(minutes=1)
    assert envelope.pop("type") == "job.execute"
    assert {key: value for key, value in envelope["data"].items() if key not in {"args", "metadata"}} == {
        "job_id": 7,
        "task_type": "email",
        "queue": "default",
        "attempt": 2,
        "max_attempts": 25,
        "priority": 1,
        "tags": ["tag-a"],
        "created_at": "2026-01-02T03:04:04.999995Z",
        "scheduled_at": "2026-01-02T03:04:03Z",
        "deadline": "2026-01-02T03:04:35Z",
    }


async def test_the_header_says_the_same_in_short(service: FaultServer, services: HttpHandlers) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    job = claimed(metadata={"snoozes": 3, "traceparent": trace, "tracestate": "a=1"})
    context = context_of(job)
    context.limit_seconds = 30

    await post(services, service.url(), job, context)

    (request,) = service.received
    sent = dict(request.headers)
    assert sent.pop("User-Agent").startswith("riverrun/")
    assert sent == {
        "Host": f"127.0.0.1:{service.port}",
        "Content-Type": "application/json",
        "Content-Length": str(len(request.body)),
        "Accept": "application/json, application/job-result+json, application/x-ndjson, text/event-stream",
        "Accept-Encoding": "identity",
        "Job-Id": "7",
        "Job-Kind": "email",
        "Job-Queue": "default",
        "Job-Priority": "1",
        "Job-Attempt": "2",
        "Job-Max-Attempts": "25",
        "Job-Snoozes": "3",
        "Job-Attempt-Token": "7:2:1767323045000000",
        "Job-Created-At": "2026-01-02T03:04:04.999995+00:00",
        "Job-Scheduled-At": "2026-01-02T03:04:03+00:00",
        "Job-Timeout": "30",
        "Job-Deadline": "2026-01-02T03:04:35+00:00",
        "Idempotency-Key": "job_7",
        "traceparent": trace,
        "tracestate": "a=1",
    }


@pytest.mark.parametrize(
    ("kind", "sent"),
    [("email:welcome", "email:welcome"), ("a\r\nX-Evil: 1", "a%0D%0AX-Evil: 1"), ("任务", "%E4%BB%BB%E5%8A%A1")],
)
async def test_names_that_other_clients_chose_cannot_break_the_header(
    service: FaultServer, services: HttpHandlers, kind: str, sent: str
) -> None:
    job = claimed(kind=kind, queue=kind, metadata={"traceparent": "a\r\nX-Evil: 1", "tracestate": "x" * 10_000})

    assert await post(services, service.url(), job) == Completed()

    headers = service.received[0].headers
    assert (headers["Job-Kind"], headers["Job-Queue"]) == (sent, sent)
    assert not {"X-Evil", "traceparent", "tracestate", "Job-Timeout", "Job-Deadline"} & set(headers)
    assert orjson.loads(service.received[0].body)["data"]["task_type"] == kind


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (Script(status=204), Completed()),
        (Script(status=422, body=b"no such address"), Discarded("HTTP 422: no such address", error_type="http_4xx")),
        (Script(status=499), Cancelled("HTTP 499", error_type="http_4xx")),
        (Script(headers={"job-outcome": "snooze", "retry-after": "9"}), Snoozed(timedelta(seconds=9))),
        (Script(status=500, body=b"boom"), Failed("HTTP 500: boom", error_type="http_5xx")),
        (Script(status=429, headers={"Retry-After": "600"}),
         Failed("HTTP 429", error_type="http_4xx", retry_in=timedelta(seconds=600))),
        (Script(status=200, headers={"Content-Type": "text/html"}, body=b"<p>fine</p>"), Completed()),
        (Script(status=200, headers=JSON, body=b"<p>not JSON</p>"), Completed()),
    ],
)  # fmt: skip
async def test_an_answer_is_read_as_the_outcome(
    service: FaultServer, services: HttpHandlers, script: Script, expected: Outcome
) -> None:
    service.script = script

    assert await post(services, service.url()) == expected


async def test_a_json_answer_is_the_output(service: FaultServer, services: HttpHandlers) -> None:
    service.script = Script(headers=JSON, body=b'{"big": 123456789012345678901234567890}')
    job = claimed()
    context = context_of(job)

    await post(services, service.url(), job, context)

    assert context.all_notes() == '{"output":{"big":123456789012345678901234567890}}'


async def test_retry_after_never_shortens_the_delay_of_the_policy(service: FaultServer, services: HttpHandlers) -> None:
    service.script = Script(status=503, headers={"Retry-After": "1"})

    outcome = await post(services, service.url(), claimed(errors=3))

    assert isinstance(outcome, Failed)
    assert outcome.retry_in is not None
    assert timedelta(seconds=230) <= outcome.retry_in <= timedelta(seconds=282)


@pytest.mark.parametrize("target", ["/elsewhere", "http://169.254.169.254/latest/meta-data", "//[::ffff:a9fe:a9fe]/"])
async def test_no_redirect_is_followed(service: FaultServer, services: HttpHandlers, target: str) -> None:
    service.script = Script(status=307, headers={"Location": target})

    assert await post(services, service.url()) == Failed("HTTP 307", error_type="http_3xx")
    assert [request.path for request in service.received] == ["/handle"]


async def test_no_proxy_is_taken_from_the_environment(
    service: FaultServer, services: HttpHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    assert await post(services, service.url()) == Completed()


async def test_no_cookie_is_kept_from_one_job_to_the_next(service: FaultServer, services: HttpHandlers) -> None:
    service.script = Script(headers={"Set-Cookie": "session=1"})

    for _ in range(2):
        await post(services, service.url(host="localhost"))

    assert "Cookie" not in service.received[1].headers


async def test_one_connection_serves_job_after_job(service: FaultServer, services: HttpHandlers) -> None:
    for _ in range(3):
        await post(services, service.url())

    assert len({request.port for request in service.received}) == 1


@pytest.mark.parametrize(
    ("script", "error_type"),
    [
        (Script(fault="close"), "reset"),
        (Script(fault="reset"), "reset"),
        (Script(body=b"half of it", fault="close"), "reset"),
        (Script(body=b"half of it", fault="reset"), "reset"),
        (Script(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "protocol"),
        (Script(raw=b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n"), "protocol"),
        (Script(raw=b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"), "protocol"),
        (Script(headers={"Content-Type": "application/job-result+json"}, body=b"{"), "protocol"),
        (Script(body=b"x" * (MAX_ANSWER_BYTES + 1)), "too_large"),
        (Script(body=b"x" * (32 * MAX_ANSWER_BYTES)), "too_large"),
    ],
)
async def test_a_broken_exchange_is_retried_and_the_broken_part_named(
    service: FaultServer, services: HttpHandlers, script: Script, error_type: str
) -> None:
    service.script = script

    outcome = await post(services, service.url())

    assert isinstance(outcome, Failed)
    assert (outcome.error_type, outcome.retry_in) == (error_type, None)
    assert outcome.error
    service.script = Script()
    assert await post(services, service.url()) == Completed()


@pytest.mark.parametrize("endless", [b"X-More: 1\r\n", b"X-More: " + b"x" * 8_000 + b"\r\n", b"x" * 8_000])
async def test_a_header_without_end_is_given_up_before_it_takes_up_memory(
    service: FaultServer, services: HttpHandlers, endless: bytes
) -> None:
    service.script = Script(raw=b"HTTP/1.1 200 OK\r\n", endless=endless)
    tracemalloc.start()

    try:
        outcome = await post(services, service.url())
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "protocol"
    assert 20 < len(outcome.error) < 1_000
    assert most < 16 * 1024 * 1024
    await eventually(lambda: service.dropped == 1, within=WITHIN)
    service.script = Script()
    assert await post(services, service.url()) == Completed()


async def test_an_answer_of_the_largest_size_is_taken(service: FaultServer, services: HttpHandlers) -> None:
    service.script = Script(body=b"x" * MAX_ANSWER_BYTES)

    assert await post(services, service.url()) == Completed()


async def test_a_compressed_answer_is_never_unpacked(service: FaultServer, services: HttpHandlers) -> None:
    bomb = gzip.compress(b"[" + b"1," * 20_000_000 + b"1]")
    service.script = Script(headers={**JSON, "Content-Encoding": "gzip"}, body=bomb)
    job = claimed()
    context = context_of(job)

    assert await post(services, service.url(), job, context) == Completed()
    assert context.all_notes() is None


@pytest.mark.parametrize(("setting", "outcome"), [("discard", Discarded), ("retry", Failed)])
async def test_a_job_too_large_to_be_posted_ends_and_says_nothing_about_the_service(
    service: FaultServer, setting: str, outcome: type[Outcome]
) -> None:
    around = surroundings()
    services = HttpHandlers(around)
    job = claimed(json.dumps({"text": "x" * MAX_BODY_BYTES}))

    outcomes = [await post(services, service.url(), job, client_errors=setting) for _ in range(THRESHOLD)]
    await services.close()

    assert {type(each) for each in outcomes} == {outcome}
    assert "the request would be larger than 4194304 bytes" in str(outcomes[0])
    assert around.breakers.of("email").state == "closed"
    assert service.received == []


@pytest.mark.parametrize(
    "script", [Script(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), Script(fault="reset"), Script(body=b"half", fault="close")]
)
async def test_no_failure_repeats_the_query_of_an_address(
    service: FaultServer, services: HttpHandlers, script: Script
) -> None:
    service.script = script

    outcome = await post(services, service.url("/handle?token=sesame"))

    assert isinstance(outcome, Failed)
    assert "sesame" not in outcome.error


async def test_where_nobody_listens_the_connection_fails(services: HttpHandlers) -> None:
    url = f"http://127.0.0.1:{free_port()}/handle"

    outcome = await post(services, url)

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "connect"
    assert outcome.error.startswith(url.removesuffix("/handle"))


async def test_a_service_without_tls_is_not_called_by_https(service: FaultServer, services: HttpHandlers) -> None:
    outcome = await post(services, service.url(scheme="https"))

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "tls"
    assert service.received == []


@pytest.mark.parametrize("script", [Script(delay=60), Script(body=b"x" * 100, pace=1.0)])
async def test_a_cancelled_attempt_closes_its_connection(
    service: FaultServer, services: HttpHandlers, script: Script
) -> None:
    service.script = script
    attempt = asyncio.create_task(post(services, service.url()), name="attempt")
    await eventually(lambda: service.received, within=WITHIN)

    attempt.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt
    await eventually(lambda: service.dropped == 1, within=WITHIN)


async def test_closing_closes_what_is_open(service: FaultServer) -> None:
    services = HttpHandlers(surroundings())
    await services.close()
    await post(services, service.url())

    await services.close()

    with pytest.raises(RuntimeError, match="Session is closed"):
        await post(services, service.url())
