"""What tests of gRPC handlers share: a service, and what calls it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from riverrun_executor.handlers.grpc import GrpcHandlers
from support.attempts import surroundings
from support.grpc_server import FaultService, fault_service


@pytest.fixture
async def service() -> AsyncIterator[FaultService]:
    """Give a service that answers as it is told."""
    async with fault_service() as service:
        yield service


@pytest.fixture
async def services() -> AsyncIterator[GrpcHandlers]:
    """Give what makes transports."""
    services = GrpcHandlers(surroundings())
    yield services
    await services.close()
