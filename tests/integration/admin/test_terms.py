"""What a filter can say is told to those who offer it: of their own queues, and at a bounded cost."""

from __future__ import annotations

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.access import TOKEN_ROLES, Role
from riverrun.job_query import parse
from riverrun.store import words
from riverrun_admin.suggestions import TERMS
from support.admin import Admin
from support.jobs import ago, insert
from support.tokens import bearing, make_token

Connection = AsyncConnection[TupleRow]


async def test_terms_and_known_values_are_told(admin: Admin, conn: Connection) -> None:
    await insert(conn, kind="report", queue="slow", tags=["vip", "red-tag"], max_attempts=25)
    await insert(conn, kind="email", tags=["vip"], max_attempts=25)
    await insert(conn, "riverrun_handler", kind="never_seen", handler_name="never_seen", handler_type="local")

    told = (await admin.get("/admin/queue/terms")).json

    assert (told["kind"], told["tag"]) == (["email", "never_seen", "report"], ["red-tag", "vip"])
    assert {"default", "slow"} <= set(told["queue"])
    assert "discarded" in told["state"]
    assert (await admin.get("/admin/queue/terms?colour=red")).status == 422


def test_every_term_that_is_suggested_is_one() -> None:
    values = {
        "state": "running",
        "priority": "1",
        "id": "1",
        "created": ">-1h",
        "scheduled": ">-1h",
        "finalized": ">-1h",
        "fingerprint": "0123456789abcdef",
    }
    for term in TERMS:
        assert parse(f"{term}.x:1" if term in ("args", "meta") else f"{term}:{values.get(term, 'some')}"), term


async def test_only_the_newest_jobs_are_looked_at(
    admin: Admin, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "LOOKED_AT", 2)
    for kind in ("old", "newer", "newest"):
        await insert(conn, kind=kind, max_attempts=25)

    assert (await admin.get("/admin/queue/terms")).json["kind"] == ["newer", "newest"]


@pytest.mark.parametrize("role", TOKEN_ROLES)
async def test_values_are_those_of_the_queues_that_a_token_is_for(locked: Admin, conn: Connection, role: str) -> None:
    for queue in ("mail", "hushed"):
        await insert(conn, "river_queue", name=queue, created_at=ago("1 day"), updated_at=ago("1 day"))
        await insert(conn, kind=f"{queue}-kind", queue=queue, tags=[f"{queue}-tag"], max_attempts=25)
    headers = bearing((await make_token(locked, role, queues=["mail*"]))["token"])

    answer = await locked.get("/admin/queue/terms", headers=headers)

    if Role(role).allows(Role.READ):
        assert (answer.json["kind"], answer.json["queue"], answer.json["tag"]) == (
            ["mail-kind"],
            ["mail"],
            ["mail-tag"],
        )
    else:
        assert answer.status == 403
