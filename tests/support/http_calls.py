"""One attempt by an HTTP service."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from riverrun.calls import call_settings
from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.outcome import Outcome
from riverrun.registration import Registration
from riverrun.store.registry import RegisteredHandler
from riverrun_executor.handlers.http import HttpHandler, HttpHandlers
from support.attempts import claimed, context_of

WITHIN = 10.0
AT = datetime(2026, 1, 1, tzinfo=UTC)


def connected(services: HttpHandlers, url: str, *, kind: str = "email", **settings: Any) -> HttpHandler:
    """Return the handler of the service at ``url``, which is registered with ``settings``."""
    said = Registration(kind, "EmailHandler", "http", url, settings=call_settings(settings))
    return services.connect(RegisteredHandler(said, None, 1, AT, AT))


async def attempt(handler: HttpHandler, job: ClaimedJob | None = None, context: Context | None = None) -> Outcome:
    """Return how an attempt of ``job`` ends."""
    job = job or claimed()
    return await asyncio.wait_for(handler.run(job, context or context_of(job)), WITHIN)


async def post(
    services: HttpHandlers, url: str, job: ClaimedJob | None = None, context: Context | None = None, **settings: Any
) -> Outcome:
    """Run one attempt of ``job`` by the service at ``url``, which is registered with ``settings``."""
    job = job or claimed()
    return await attempt(connected(services, url, kind=job.kind, **settings), job, context)
