"""Tokens in the database: what each role may do, where, for how long; browsers that log in; proxies that vouch."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.access import TOKEN_ROLES, Role, new_token
from riverrun.errors import InvalidInput
from riverrun_admin import failures
from riverrun_admin.roles import ROLES
from support.admin import Admin, running_admin
from support.queries import value
from support.tokens import BOSS, bearing, make_token, path_of

MAY = {
    "read": {Role.READ},
    "enqueue": {Role.ENQUEUE},
    "operate": {Role.READ, Role.ENQUEUE, Role.OPERATE},
    "edit": {Role.READ, Role.ENQUEUE, Role.OPERATE, Role.EDIT},
    "admin": {Role.READ, Role.ENQUEUE, Role.OPERATE, Role.EDIT, Role.ADMIN},
}

CALLBACK = "/admin/queue/callback/{job_id}"
"""Services come here with tokens of their own."""


@pytest.mark.parametrize("role", TOKEN_ROLES)
async def test_each_role_may_do_what_it_is_for_and_nothing_else(locked: Admin, role: str) -> None:
    token = (await make_token(locked, role))["token"]

    for (method, template), needed in sorted(ROLES.items()):
        if template == CALLBACK:
            continue
        answer = await locked.request(method, path_of(template), headers=bearing(token))

        may = needed is Role.PUBLIC or needed in MAY[role]
        assert (answer.status != 403) is may, (method, template, answer.status)
        assert answer.status not in (401, 500), (method, template)


async def test_only_the_digest_is_kept(locked: Admin, conn: AsyncConnection[TupleRow]) -> None:
    made = await make_token(locked, "read")

    listed = await locked.get("/admin/token/list", headers=bearing(BOSS))
    kept = await value(conn, "SELECT riverrun_token::text FROM riverrun_token")
    audited = await value(conn, "SELECT string_agg(entry, '') FROM riverrun_audit")

    secret = made["token"].rpartition("_")[2]
    assert secret not in listed.text + kept + audited
    assert listed.json["data"][0]["token_id"] == made["token_id"]


async def test_a_token_ends_when_it_is_revoked_or_expires(locked: Admin, conn: AsyncConnection[TupleRow]) -> None:
    revoked, expired = await make_token(locked, "read"), await make_token(locked, "read", expires_in_s=3600)
    await locked.post("/admin/token/revoke", {"token_id": revoked["token_id"]}, headers=bearing(BOSS))
    await conn.execute("UPDATE riverrun_token SET expires_at = now() WHERE expires_at IS NOT NULL")

    answers = [await locked.get("/admin/queue/stats", headers=bearing(made["token"])) for made in (revoked, expired)]

    assert [answer.status for answer in answers] == [401, 401]


async def test_a_revoked_token_is_refused_at_once_where_it_was_revoked(database: str) -> None:
    async with running_admin(database, tokens=[BOSS]) as admin:
        made = await make_token(admin, "read")
        before = await admin.get("/admin/queue/stats", headers=bearing(made["token"]))
        await admin.post("/admin/token/revoke", {"token_id": made["token_id"]}, headers=bearing(BOSS))
        after = await admin.get("/admin/queue/stats", headers=bearing(made["token"]))

    assert (before.status, after.status) == (200, 401)


async def test_a_browser_logs_in_and_out(locked: Admin, conn: AsyncConnection[TupleRow]) -> None:
    made = await make_token(locked, "operate")
    ours = {"Origin": locked.url}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        browser = Admin(locked.url, session, locked.context)
        wrong = await browser.request("POST", "/admin/login", data={"token": "nonsense"}, headers=ours)
        right = await browser.request(
            "POST", "/admin/login", data={"token": made["token"], "next": "queue/jobs?state=running"}, headers=ours
        )
        page = await browser.page("/admin/queue/jobs")
        without_origin = await browser.post("/admin/queue/pause", {"queue": "mail"})
        foreign = await browser.post(
            "/admin/queue/pause", {"queue": "mail"}, headers={"Origin": "https://evil.example"}
        )
        own = await browser.post("/admin/queue/pause", {"queue": "mail"}, headers=ours)
        out = await browser.request("POST", "/admin/logout", headers=ours)
        after = await browser.page("/admin/queue/jobs")

    cookie = right.headers["Set-Cookie"]
    assert (wrong.status, right.status, right.headers["Location"]) == (401, 303, "queue/jobs?state=running")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert made["token"] not in cookie
    assert (page.status, without_origin.status, foreign.status, own.status) == (200, 403, 403, 200)
    assert (out.status, after.status) == (303, 401)
    assert await value(conn, "SELECT count(*) FROM riverrun_token WHERE parent IS NOT NULL AND revoked_at IS NULL") == 0


async def test_the_end_of_a_token_is_the_end_of_its_sessions(locked: Admin) -> None:
    made = await make_token(locked, "read")
    right = await locked.request("POST", "/admin/login", data={"token": made["token"]})
    cookie = right.headers["Set-Cookie"].partition(";")[0]
    inside = await locked.page("/admin/queue/jobs", Cookie=cookie)
    again = await locked.request("POST", "/admin/login", data={"token": cookie.partition("=")[2]})
    await locked.post("/admin/token/revoke", {"token_id": made["token_id"]}, headers=bearing(BOSS))
    outside = await locked.page("/admin/queue/jobs", Cookie=cookie)

    assert (inside.status, outside.status) == (200, 401)
    assert again.status == 401


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "queue/../../x", "queue//evil.example", "\\evil"]
)
async def test_the_login_leads_to_no_other_site(locked: Admin, wanted: str) -> None:
    right = await locked.request("POST", "/admin/login", data={"token": BOSS, "next": wanted})

    assert right.headers["Location"] == "queue/dashboard"


async def test_who_guesses_has_to_wait_and_who_is_known_has_not(locked: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "MOST", 3)
    guesses = [await locked.get("/admin/queue/stats", headers=bearing(f"guess-{number}")) for number in range(5)]
    known = await locked.get("/admin/queue/stats", headers=bearing(BOSS))

    assert [guess.status for guess in guesses] == [401, 401, 401, 429, 429]
    assert 0 < int(guesses[-1].headers["Retry-After"]) <= 61
    assert known.status == 200


async def test_a_proxy_vouches_for_its_users(database: str) -> None:
    headers = {"user_header": "X-User", "groups_header": "X-Groups"}
    sso = {**headers, "read": ["*"], "operate": ["on-call"], "admin": ["anna"]}
    async with running_admin(database, require_token=True, proxies=["127.0.0.0/8"], sso=sso) as admin:
        cases = [({}, 401), ({"X-User": "bob"}, 403), ({"X-User": "bob", "X-Groups": "x, on-call"}, 404)]
        for headers, status in cases:
            answer = await admin.post("/admin/queue/cancel", {"job_id": 1}, headers=headers)
            assert answer.status == status, headers
        boss = await admin.get("/admin/token/list", headers={"X-User": "anna"})

    assert boss.status == 200


async def test_nobody_else_can_vouch(database: str) -> None:
    sso = {"user_header": "X-User", "admin": ["*"]}
    async with running_admin(database, require_token=True, proxies=["10.0.0.0/8"], sso=sso) as admin:
        answer = await admin.get("/admin/token/list", headers={"X-User": "anna", "X-Forwarded-For": "10.0.0.1"})

    assert answer.status == 401


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"role": "root"}, "role"),
        ({"role": "public"}, "role"),
        ({"queues": ["A b"]}, "queues.0"),
        ({"queues": [7]}, "queues.0"),
    ],
)
def test_a_token_that_is_not_allowed_names_the_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        new_token(**{"name": "ci", "role": "read", **fields})

    assert refused.value.field == field
