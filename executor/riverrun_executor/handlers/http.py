"""Run a job by posting it to a service, in whatever language it is written."""

from __future__ import annotations

import errno
import random
import socket
import string
from datetime import UTC, datetime, timedelta
from time import perf_counter
from urllib.parse import quote

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from riverrun import __version__
from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.egress import ALLOWED_HOSTS, forbidden_host
from riverrun.outcome import Failed, Outcome
from riverrun.retry import next_retry_delay
from riverrun.sanitize import clean_json
from riverrun.store.registry import RegisteredHandler
from riverrun.telemetry import metrics
from riverrun.transition import snooze_count
from riverrun_executor.handlers.http_outcome import RESULT_TYPE, Answer, read

CONNECT_SECONDS = 5.0
KEEPALIVE_SECONDS = 15.0
MAX_ANSWER_BYTES = 1024 * 1024
MAX_TRACE_FIELD = 512
"""The longest ``tracestate`` that the standard asks anybody to pass on."""

_OWN_METADATA = ("river:", "riverrun:")
_AS_IT_IS = string.punctuation.replace("%", "") + " "


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
                auto_decompress=False,  # nothing compressed is asked for: a small answer could grow without end
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"riverrun/{__version__}"},
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
        allowed = [entry for entry in found if not forbidden_host(entry["host"])]
        if not allowed:
            raise OSError(
                errno.EACCES, f"{host} resolves only to addresses that are not allowed; expected {ALLOWED_HOSTS}"
            )
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
        self.concurrency: int | None = None

    async def run(self, job: ClaimedJob, context: Context) -> Outcome:
        """Post the job and read the answer as its outcome."""
        started = perf_counter()
        answer = await self._post(job, context)
        code = answer.error_type if isinstance(answer, Failed) else str(answer.status)
        metrics.handler_requests.labels(kind=job.kind, transport="http", code=code).inc()
        metrics.handler_request_duration.labels(kind=job.kind, transport="http").observe(perf_counter() - started)
        if isinstance(answer, Failed):
            return answer
        reading = read(answer, now=datetime.now(UTC), policy=next_retry_delay(job.error_count, self._random))
        if reading.output is not None:
            context.output(reading.output)
        return reading.outcome

    async def _post(self, job: ClaimedJob, context: Context) -> Answer | Failed:
        """Return the answer, or a failure that names which part of the exchange failed."""
        # An address in the URL never meets the resolver.
        if forbidden_host(self._url.host or ""):
            return Failed(f"{self._url.host} is not allowed; expected {ALLOWED_HOSTS}", error_type="connect")
        try:
            async with self._session.post(
                self._url, data=envelope(job, context), headers=headers(job, context), allow_redirects=False
            ) as response:
                body = bytearray()
                async for part in response.content.iter_any():
                    body += part
                    if len(body) > MAX_ANSWER_BYTES:
                        response.close()
                        return Failed(f"the answer is larger than {MAX_ANSWER_BYTES} bytes", error_type="too_large")
                return Answer(response.status, response.headers, bytes(body))
        except (aiohttp.ClientError, OSError) as error:
            return Failed(f"{self._url.origin()}: {type(error).__name__}: {error}", error_type=_error_type(error))


def envelope(job: ClaimedJob, context: Context) -> bytes:
    """Return the body of the request; the arguments go in as the text the database keeps."""
    metadata = {key: value for key, value in job.metadata.items() if not key.startswith(_OWN_METADATA)}
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
        "metadata": orjson.Fragment(clean_json(metadata)),
        "args": orjson.Fragment(job.args_text),
    }
    return orjson.dumps({"type": "job.execute", "timestamp": datetime.now(UTC), "data": data}, option=orjson.OPT_UTC_Z)


def headers(job: ClaimedJob, context: Context) -> dict[str, str]:
    """Return the header fields of the request; a receiver must not authorize on them."""
    fields = {
        "Content-Type": "application/json",
        "Accept": f"application/json, {RESULT_TYPE}",
        "Accept-Encoding": "identity",
        "Job-Id": str(job.id),
        "Job-Kind": _field(job.kind),
        "Job-Queue": _field(job.queue),
        "Job-Priority": str(job.priority),
        "Job-Attempt": str(job.attempt),
        "Job-Max-Attempts": str(job.max_attempts),
        "Job-Snoozes": str(snooze_count(job.metadata)),
        "Job-Attempt-Token": context.fence,
        "Job-Created-At": job.created_at.isoformat(),
        "Job-Scheduled-At": job.scheduled_at.isoformat(),
        "Idempotency-Key": f"job_{job.id}",
    }
    if context.limit_seconds is not None and context.deadline is not None:
        fields["Job-Timeout"] = f"{context.limit_seconds:.15g}"
        fields["Job-Deadline"] = context.deadline.isoformat()
    for name in ("traceparent", "tracestate"):
        value = job.metadata.get(name)
        if isinstance(value, str) and len(value) <= MAX_TRACE_FIELD and value.isascii() and value.isprintable():
            fields[name] = value
    return fields


def _field(text: str) -> str:
    """Return a name that a client of any language may have chosen as a header value; what cannot be one is escaped."""
    return quote(text, safe=_AS_IT_IS)


def _error_type(error: BaseException) -> str:
    """Return the one word that metrics and the job's errors use for a failed exchange."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorSSLError() | aiohttp.ClientConnectorCertificateError():
            return "tls"
        case aiohttp.ServerTimeoutError() | aiohttp.ConnectionTimeoutError() | aiohttp.ClientConnectorError():
            return "connect"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError() | aiohttp.ClientOSError() | OSError():
            return "reset"
        case _:
            return "protocol"
