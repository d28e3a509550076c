"""Run a job by posting it to a service, in whatever language it is written.

request ── signed, pinned to an allowed address ──▶ service ──▶ answer ──▶ outcome, and what it says about the service
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Collection, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from prometheus_client import Counter

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.outcome import Discarded, Failed, Interrupted, Outcome
from riverrun.retry import RIVER_BACKOFF, retry_delay
from riverrun.store.registry import RegisteredHandler
from riverrun.tasks import end
from riverrun.telemetry import metrics
from riverrun_executor.breaker import Breaker, Fault
from riverrun_executor.handlers import http_request
from riverrun_executor.handlers.host_files import UnusableSettings
from riverrun_executor.handlers.http_connection import Connections
from riverrun_executor.handlers.http_failure import NoAnswer, no_answer
from riverrun_executor.handlers.http_outcome import GONE, Answer, FailureTerms, Reading, read, retry_after
from riverrun_executor.handlers.http_request import TooLarge
from riverrun_executor.handlers.http_service import Service
from riverrun_executor.handlers.http_stream import STREAMS, follow
from riverrun_executor.handlers.service_notes import keep
from riverrun_executor.handlers.surroundings import Surroundings

MAX_ANSWER_BYTES = 1024 * 1024
LAST_WORDS_SECONDS = 1.0
"""For so long an executor that ends waits for services that it tells of it."""

WORKED = FailureTerms(timedelta())
"""Of an answer that is a success, which asks for no delay."""

_GATEWAY = frozenset({502, 503, 504})
_MISCONFIGURED = frozenset({401, 403, 404, 405})
_THROTTLED = frozenset({429, 503})


class HttpHandlers:
    """Makes the transports of HTTP services and keeps their connections."""

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings
        self.connections = Connections(surroundings.egress)
        self._connected: dict[str, HttpHandler] = {}
        self._background: set[asyncio.Task[None]] = set()

    def connect(self, registered: RegisteredHandler) -> HttpHandler:
        """Return the transport that posts jobs to ``registered``."""
        handler = self._connected[registered.kind] = HttpHandler(registered, self)
        return handler

    def forget(self, kinds: Collection[str]) -> None:
        """Forget the services of all kinds but these."""
        for kind in self._connected.keys() - set(kinds):
            del self._connected[kind]

    def tell(self, word: Coroutine[Any, Any, None], name: str) -> None:
        """Say something to a service without waiting for it."""
        task = asyncio.create_task(word, name=name)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def check(self) -> None:
        """Ask all services that name a health URL whether they are well."""
        await asyncio.gather(*(handler.check() for handler in list(self._connected.values())))

    async def close(self) -> None:
        """Close all connections, once services were told of the attempts that were given up."""
        if self._background:
            await asyncio.wait(self._background, timeout=LAST_WORDS_SECONDS)
        await end(list(self._background))
        await self.connections.close()


class HttpHandler:
    """One HTTP service as a transport."""

    def __init__(self, registered: RegisteredHandler, owner: HttpHandlers) -> None:
        said = registered.registration
        self._kind = said.kind
        self._settings = said.settings
        self._service = Service(said, owner.surroundings, owner.connections)
        self._url = self._service.url
        self._owner = owner
        self._breaker: Breaker = owner.surroundings.breakers.of(said.kind)
        self._callbacks = owner.surroundings.callbacks
        self._random = random.Random()  # noqa: S311 - spreads retries, guards nothing
        self._requests: dict[str, Counter] = {}
        self._durations = metrics.handler_request_duration.labels(kind=said.kind, transport="http")
        self.backoff = RIVER_BACKOFF if said.settings.backoff is None else said.settings.backoff.policy
        self.concurrency = said.settings.concurrency
        self.timeout = None if said.timeout_seconds is None else timedelta(seconds=said.timeout_seconds)

    async def run(self, job: ClaimedJob, context: Context) -> Outcome:
        """Post the job and read the answer as its outcome."""
        if not self._breaker.admit():
            return Interrupted()
        try:
            with self._breaker.call(context):
                if self._breaker.is_probing and self._service.has_health and not await self._service.is_well():
                    await self._breaker.failed(Fault.UNREACHED, self._service.not_well)
                    return Interrupted()
                return await self._exchange(job, context)
        except asyncio.CancelledError:
            self._cut_short(job, context)
            raise

    async def _exchange(self, job: ClaimedJob, context: Context) -> Outcome:
        """Return the outcome, after the breaker has learnt what the exchange says about the service."""
        started = time.perf_counter()
        try:
            answer = await self._post(job, context)
        except UnusableSettings as error:
            self._count(error.error_type, started)
            self._breaker.unusable(str(error))
            return Interrupted()
        except TooLarge as error:
            self._count(error.error_type, started)
            self._breaker.broken_off()
            ended = Discarded if self._settings.client_errors == "discard" else Failed
            return ended(str(error), error_type=error.error_type)
        except NoAnswer as error:
            self._count(error.error_type, started)
            given_back = await self._breaker.failed(error.fault, str(error))
            return Interrupted() if given_back else Failed(str(error), error_type=error.error_type)
        self._count(str(answer.status), started)
        return await self._judge(answer, job, context)

    async def _post(self, job: ClaimedJob, context: Context) -> Answer:
        """Return the answer.

        Raises:
            TooLarge: No request was made, since none can carry the job.
            UnusableSettings: No request was made, since something is missing on this host.
            NoAnswer: The exchange failed.
        """
        form = self._settings.body
        sent = http_request.body(job, context, form)
        fields = self._service.headers(http_request.headers(job, context, form))
        fields |= self._service.proofs(job, sent)
        if not self._service.is_admitted:
            allowed = self._owner.surroundings.egress.allowed
            raise NoAnswer(f"{self._url.host} is not allowed; expected {allowed}", "connect", Fault.UNREACHED)
        try:
            async with await self._service.request("POST", self._url, sent, fields) as response:
                return await self._read(response, context)
        except (aiohttp.ClientError, OSError) as error:
            raise no_answer(error, self._url.origin()) from error

    async def _read(self, response: aiohttp.ClientResponse, context: Context) -> Answer:
        if response.ok and response.content_type in STREAMS:
            return await follow(response, context, idle_seconds=self._settings.idle_timeout)
        body = bytearray()
        async for part in response.content.iter_any():
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                response.close()
                raise NoAnswer(f"the answer is larger than {MAX_ANSWER_BYTES} bytes", "too_large")
        return Answer(response.status, response.headers, bytes(body))

    async def _judge(self, answer: Answer, job: ClaimedJob, context: Context) -> Outcome:
        """Return the outcome of an answer, after the breaker has learnt what it says about the service."""
        now = datetime.now(UTC)
        reading = read(answer, now=now, policy=WORKED if answer.status < 300 else self._policy(job))
        if reading.beside and (refused := keep(context, **reading.beside)):
            reading = Reading(refused)
        if reading.output is not None:
            context.output(reading.output)
        if await self._tell_breaker(answer, reading, now):
            return Interrupted()
        if reading.lease is not None:
            context.limit_seconds = None  # from here on it is the lease that decides
            await self._callbacks.silence(job, reading.lease)
        return reading.outcome

    def _policy(self, job: ClaimedJob) -> FailureTerms:
        delay = retry_delay(self.backoff, errors=job.error_count, rng=self._random)
        return FailureTerms(delay, http_request.snoozes(job), self._settings)

    async def _tell_breaker(self, answer: Answer, reading: Reading, now: datetime) -> bool:
        """Tell the breaker what an answer says about the service; return whether the attempt is to be given back."""
        status, reason = answer.status, f"HTTP {answer.status}"
        if status in _THROTTLED and (wait := retry_after(answer, now)) is not None:
            self._breaker.answered(well=True)
            self._breaker.throttle(wait)
        elif status >= 500 and isinstance(reading.outcome, Failed):
            return await self._breaker.failed(Fault.GATEWAY if status in _GATEWAY else Fault.ERROR, reason)
        elif status in _MISCONFIGURED and isinstance(reading.outcome, Failed):
            self._breaker.answered(well=False)
            self._breaker.flag(f"{reason} from {self._url.origin()}")
        elif status == GONE:
            self._breaker.answered(well=True)
            self._breaker.gone(f"{reason}: the service is gone for good")
        else:
            self._breaker.answered(well=True)
        return False

    def _cut_short(self, job: ClaimedJob, context: Context) -> None:
        """Count an attempt that was stopped for its time, and tell the service if it wants to know of any."""
        if context.stopped_by == "timeout":
            metrics.handler_requests.labels(kind=self._kind, transport="http", code="timeout").inc()
        if self._settings.cancel_url is not None and context.stopped_by != "ended":
            self._owner.tell(self._service.call_off(job, context.stopped_by), f"calling off job {job.id}")

    async def check(self) -> None:
        """Ask the service how it is, if it can be asked."""
        if self._service.has_health:
            self._breaker.health_was(well=await self._service.is_well(), reason=self._service.not_well)

    def _count(self, code: str, started: float) -> None:
        counter = self._requests.get(code)
        if counter is None:
            counter = self._requests[code] = metrics.handler_requests.labels(
                kind=self._kind, transport="http", code=code
            )
        counter.inc()
        self._durations.observe(time.perf_counter() - started)
