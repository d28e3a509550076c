"""One attempt by a gRPC service, as an executor makes it."""

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
from riverrun_executor.handlers.grpc import GrpcHandlers
from support.attempts import claimed, context_of

WITHIN = 10.0
"""Seconds that an attempt may take in a test."""


async def call(
    services: GrpcHandlers, url: str, job: ClaimedJob | None = None, context: Context | None = None, **settings: Any
) -> Outcome:
    """Run one attempt of ``job`` by the service at ``url``."""
    registration = Registration("email", "EmailHandler", "grpc", url, settings=call_settings(settings))
    at = datetime(2026, 1, 1, tzinfo=UTC)
    handler = services.connect(RegisteredHandler(registration, None, 1, at, at))
    job = job or claimed()
    return await asyncio.wait_for(handler.run(job, context or context_of(job)), WITHIN)
