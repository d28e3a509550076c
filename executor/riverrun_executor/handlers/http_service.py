"""One service as it is reached: its connections, the header fields of its own, and what is said beside jobs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from types import MappingProxyType

import aiohttp
from yarl import URL

from riverrun.claimed_job import ClaimedJob
from riverrun.registration import Registration
from riverrun.telemetry import metrics
from riverrun_executor.handlers import http_request
from riverrun_executor.handlers.host_files import UnusableSettings, header_values
from riverrun_executor.handlers.http_connection import CONNECT_SECONDS, Connections
from riverrun_executor.handlers.surroundings import Surroundings

SECRETS_SECONDS = 60.0
"""For so long header fields are kept before the files and variables they come from are read again."""

CANCEL_SECONDS = 5.0

NOTHING: Mapping[str, str] = MappingProxyType({})


class Service:
    """One HTTP service.

    Args:
        said: Its registration.
        surroundings: Where it may be, and what requests to it are signed with.
        connections: To services.
    """

    def __init__(self, said: Registration, surroundings: Surroundings, connections: Connections) -> None:
        self.kind = said.kind
        self.settings = said.settings
        self.url = URL(said.endpoint_url or "")
        self._surroundings = surroundings
        self._connections = connections
        self._headers: dict[str, str] = {}
        self._headers_until = 0.0

    async def request(
        self,
        method: str,
        url: URL,
        body: bytes | None,
        fields: Mapping[str, str],
        limit: aiohttp.ClientTimeout | None = None,
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Begin a request with the certificates of the registration; ``limit`` in place of the attempt's own.

        Raises:
            UnusableSettings: The certificates cannot be used on this host.
        """
        tls = await self._connections.certificates.context(self.settings.tls)
        return self._connections.session.request(
            method, url, data=body, headers=fields, allow_redirects=False, ssl=tls, timeout=limit
        )

    @cached_property
    def is_admitted(self) -> bool:
        """Whether jobs may be posted to the service at all."""
        return self.admits(self.url)

    def admits(self, url: URL) -> bool:
        """Return whether a request may be meant for ``url``; an address in it never meets the resolver."""
        return self._surroundings.egress.admits_host(url.host or "")

    def headers(self, fields: Mapping[str, str]) -> dict[str, str]:
        """Return header fields with those of the registration before them, and the secrets that those name.

        Raises:
            UnusableSettings: A secret is not there or may not be used.
        """
        if time.monotonic() >= self._headers_until:
            self._headers = header_values(self.settings.headers, allowed=self._surroundings.secrets)
            self._headers_until = time.monotonic() + SECRETS_SECONDS
        return {**self._headers, **fields}

    def proofs(self, job: ClaimedJob, sent: bytes) -> dict[str, str]:
        """Return the header fields that prove who sends ``sent``."""
        credentials = self._surroundings.credentials.get(self.kind)
        return {} if credentials is None else http_request.proofs(job, credentials, sent)

    async def call_off(self, job: ClaimedJob, reason: str) -> None:
        """Tell the service that an attempt was given up; it is told once."""
        sent = http_request.cancellation(job, reason)
        fields = {"Content-Type": "application/json", **self.proofs(job, sent)}
        url = URL(self.settings.cancel_url or "")
        if await self._status("POST", url, seconds=CANCEL_SECONDS, body=sent, fields=fields) is None:
            metrics.handler_requests.labels(kind=self.kind, transport="http", code="cancel_failed").inc()

    @property
    def has_health(self) -> bool:
        """Whether the service can be asked how it is."""
        return self.settings.health_url is not None

    @property
    def not_well(self) -> str:
        """What is told when the answer is no, without the query of its address, which may hold a secret."""
        return f"{URL(self.settings.health_url or '').with_query(None)} says that it is not well"

    async def is_well(self) -> bool:
        """Ask the service how it is."""
        status = await self._status("GET", URL(self.settings.health_url or ""), seconds=CONNECT_SECONDS)
        return status is not None and (200 <= status < 300 or status == 405)

    async def _status(
        self, method: str, url: URL, *, seconds: float, body: bytes | None = None, fields: Mapping[str, str] = NOTHING
    ) -> int | None:
        """Return the status of an answer whose body does not matter; None when there is none."""
        try:
            if not self.admits(url):
                return None
            limit = aiohttp.ClientTimeout(total=seconds)
            async with await self.request(method, url, body, self.headers(fields), limit) as response:
                return response.status
        except (aiohttp.ClientError, OSError, UnusableSettings):
            return None
