"""Run a job by posting it to a service, in whatever language it is written."""

from __future__ import annotations

import asyncio
import random
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import perf_counter

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.egress import forbidden_address
from riverrun.outcome import Failed, Outcome
from riverrun.retry import next_retry_delay
from riverrun.store.registry import RegisteredHandler
from riverrun.telemetry import metrics
from riverrun_executor.handlers.http_outcome import RESULT_TYPE, Answer, read

CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 15.0
MAX_ANSWER_BYTES = 1024 * 1024


class HttpHandlers:
    """Makes the transports of HTTP services and keeps their connections."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def connect(self, registered: RegisteredHandler) -> HttpHandler:
        """Return the transport that posts jobs to ``registered``."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0, keepalive_timeout=KEEPALIVE_SECONDS, resolver=GuardedResolver(), use_dns_cache=False
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                auto_decompress=True,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return HttpHandler(registered, self._session)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()


class GuardedResolver(AbstractResolver):
    """Resolves names and drops the addresses to which no request may go, whatever the name said a moment ago."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the allowed addresses of ``host``; raises OSError when there are none."""
        found = await self._resolver.resolve(host, port, family)
        allowed = [entry for entry in found if not forbidden_address(entry["host"])]
        if not allowed:
            raise OSError(f"{host} resolves only to addresses that handlers may not be called at")
        return allowed

    async def close(self) -> None:
        """Nothing is kept open."""


class HttpHandler:
    """One HTTP service as a transport."""

    def __init__(self, registered: RegisteredHandler, session: aiohttp.ClientSession) -> None:
        self._url = URL(registered.registration.endpoint_url or "")
        self._session = session
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        seconds = registered.registration.timeout_seconds
        self.timeout = None if seconds is None else timedelta(seconds=seconds)

    async def run(self, job: ClaimedJob, context: Context) -> Outcome:
        """Post the job and read the answer as its outcome."""
        started = perf_counter()
        answer = await self._post(job, context)
        code = answer.error_type if isinstance(answer, Failed) else str(answer.status)
        metrics.handler_requests.labels(kind=job.kind, transport="http", code=code).inc()
        metrics.handler_request_duration.labels(kind=job.kind, transport="http").observe(perf_counter() - started)
        if isinstance(answer, Failed):
            return answer
        reading = read(answer, datetime.now(UTC))
        if reading.output is not None:
            context.output(reading.output)
        return self._no_sooner_than_policy(job, reading.outcome)

    async def _post(self, job: ClaimedJob, context: Context) -> Answer | Failed:
        """Return the answer, or a failure that names which part of the exchange failed."""
        if forbidden_address(self._url.host or ""):
            return Failed(error=f"handlers may not be called at {self._url.host}", error_type="connect")
        try:
            async with self._session.post(
                self._url, data=envelope(job, context), headers=headers(job, context), allow_redirects=False
            ) as response:
                body = await response.content.read(MAX_ANSWER_BYTES + 1)
                while len(body) <= MAX_ANSWER_BYTES and (chunk := await response.content.read(MAX_ANSWER_BYTES)):
                    body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    response.close()
                    return Failed(error=f"the answer is larger than {MAX_ANSWER_BYTES} bytes", error_type="too_large")
                return Answer(response.status, response.headers, body)
        except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError) as error:
            return Failed(error=f"{self._url.origin()}: {type(error).__name__}: {error}", error_type=_error_type(error))

    def _no_sooner_than_policy(self, job: ClaimedJob, outcome: Outcome) -> Outcome:
        """Let ``Retry-After`` lengthen the delay of the retry policy, never shorten it."""
        if not isinstance(outcome, Failed) or outcome.retry_in is None:
            return outcome
        return replace(outcome, retry_in=max(outcome.retry_in, next_retry_delay(job.error_count, self._random)))


def envelope(job: ClaimedJob, context: Context) -> bytes:
    """Return the body of the request; the arguments go in as the text the database keeps."""
    data = {
        "job_id": job.id,
        "task_type": job.kind,
        "queue": job.queue,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "priority": job.priority,
        "tags": list(job.tags),
        "created_at": job.created_at,
        "scheduled_at": job.scheduled_at,
        "deadline": context.deadline,
        "metadata": {key: value for key, value in job.metadata.items() if not key.startswith(("river:", "riverrun:"))},
        "args": orjson.Fragment(job.args_text),
    }
    return orjson.dumps({"type": "job.execute", "timestamp": datetime.now(UTC), "data": data}, option=orjson.OPT_UTC_Z)


def headers(job: ClaimedJob, context: Context) -> dict[str, str]:
    """Return the header fields of the request; a receiver must not authorize on them."""
    fields = {
        "Content-Type": "application/json",
        "Accept": f"application/json, {RESULT_TYPE}",
        "Job-Id": str(job.id),
        "Job-Kind": job.kind,
        "Job-Queue": job.queue,
        "Job-Priority": str(job.priority),
        "Job-Attempt": str(job.attempt),
        "Job-Max-Attempts": str(job.max_attempts),
        "Job-Attempt-Token": context.fence,
        "Job-Created-At": job.created_at.isoformat(),
        "Job-Scheduled-At": job.scheduled_at.isoformat(),
        "Idempotency-Key": f"job_{job.id}",
    }
    if context.deadline is not None:
        fields["Job-Deadline"] = context.deadline.isoformat()
        fields["Job-Timeout"] = f"{(context.deadline - job.attempted_at) / timedelta(seconds=1):g}"
    for name in ("traceparent", "tracestate"):
        if isinstance(value := job.metadata.get(name), str) and value.isascii() and value.isprintable():
            fields[name] = value
    return fields


def _error_type(error: BaseException) -> str:
    """Return the one word that metrics and the job's errors use for a failed exchange."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorSSLError() | aiohttp.ClientConnectorCertificateError():
            return "tls"
        case aiohttp.ServerTimeoutError() | aiohttp.ConnectionTimeoutError() | aiohttp.ClientConnectorError():
            return "connect"
        case aiohttp.ServerDisconnectedError() | ConnectionResetError() | aiohttp.ClientOSError():
            return "reset"
        case _:
            return "protocol"
