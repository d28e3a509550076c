"""Requests made from the description of the API, right and wrong ones: the server can take each of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case

from support.admin import Admin, running_admin

REQUESTS_EACH = 12
ENDLESS = "/admin/queue/events"


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_request_that_can_be_described_makes_the_server_fail(database: str) -> None:
    async with running_admin(database) as admin:
        failed = await asyncio.to_thread(_failures, admin)

    assert failed == []


def _failures(admin: Admin) -> list[str]:
    """Send requests to every operation and return those that were answered with an error of the server."""
    failed: list[str] = []
    schema = schemathesis.openapi.from_url(f"{admin.url}/admin/openapi.json")
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # the document is valid, as another test says
        if operation.path == ENDLESS:
            continue

        @settings(
            max_examples=REQUESTS_EACH,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def send(case: Case[Any]) -> None:
            response = case.call()
            if response.status_code >= 500:
                failed.append(f"{case.method} {case.path} {case.query} {case.body!r}: {response.text[:300]}")

        send()
    return failed
