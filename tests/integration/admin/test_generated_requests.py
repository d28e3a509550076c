"""Requests made from the description of the API, right and wrong ones: the server can take each of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import content_type_conformance, response_schema_conformance
from schemathesis.core.failures import FailureGroup

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
    """Send requests to every operation and return those that failed, or were answered otherwise than described."""
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
            wrong = _otherwise(case, response)
            if response.status_code >= 500 or wrong:
                failed.append(f"{case.method} {case.path} {case.query} {case.body!r}: {response.text[:300]} {wrong}")

        send()
    return failed


def _otherwise(case: Case[Any], response: Any) -> str:
    """Return in what a response is not as it is described; nothing when it is."""
    try:
        case.validate_response(response, checks=[response_schema_conformance, content_type_conformance])
    except FailureGroup as group:
        return "; ".join(str(each) for each in group.exceptions)
    return ""
