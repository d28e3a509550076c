"""Who is let in: every route, with and without a token, from other hosts and other sites."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator

import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from riverrun.access import Role
from riverrun.errors import ConfigError
from riverrun.settings.admin import AdminSettings
from riverrun.settings.schema import Settings
from riverrun_admin import failures
from riverrun_admin.database import Database
from riverrun_admin.door import Door
from riverrun_admin.known_tokens import KnownTokens
from riverrun_admin.roles import ROLES
from support.admin import Admin, running_admin
from support.contexts import settings_for
from support.queries import value
from support.tokens import path_of

TOKEN = "a-token-of-sufficient-length"
OTHER = "another-token-that-is-known"
ROUTES = sorted(ROLES)


@pytest.fixture
async def guarded(database: str) -> AsyncIterator[Admin]:
    """Give an admin server that wants a token."""
    async with running_admin(database, tokens=[OTHER, TOKEN], allowed_hosts=["jobs.example.com"]) as server:
        yield server


async def test_every_route_but_the_public_ones_wants_a_token(guarded: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "MOST", 1_000)
    for method, template in ROUTES:
        if template == "/admin/queue/callback/{job_id}":
            continue  # its tokens are of another kind
        bare = await guarded.request(method, path_of(template))
        wrong = await guarded.request(method, path_of(template), headers={"Authorization": "Bearer nonsense"})
        right = await guarded.request(method, path_of(template), headers={"Authorization": f"Bearer {TOKEN}"})

        is_public = ROLES[method, template] is Role.PUBLIC
        assert (bare.status == 401) is not is_public, template
        assert wrong.status == 401, template
        assert right.status not in (401, 403, 500), template
        if not is_public:
            assert bare.headers["WWW-Authenticate"].startswith("Bearer")
            assert bare.json["code"] == "unauthorized"


async def test_a_browser_may_send_the_token_as_a_password(guarded: Admin) -> None:
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()

    right = await guarded.page("/admin/queue/dashboard", Authorization=f"Basic {basic}")
    broken = await guarded.page("/admin/queue/dashboard", Authorization="Basic %%%")
    asked = await guarded.page("/admin/queue/dashboard")

    assert (right.status, broken.status, asked.status) == (200, 401, 401)
    assert asked.headers["WWW-Authenticate"].startswith("Bearer")
    assert '<input type="password" name="token"' in asked.text


async def test_no_route_answers_to_a_strange_name(admin: Admin) -> None:
    for method, template in ROUTES:
        for host in ("evil.example", "evil.example:80", "localhost.evil.example", "", "[", "127.0.0.1.evil.example"):
            answer = await admin.request(method, path_of(template), headers={"Host": host})

            assert answer.status in (400, 403), (method, template, host)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1", "127.0.0.1", "[::1]:9999", "LOCALHOST.", "jobs.example.com"]
)
async def test_the_names_of_this_server_are_answered_to(guarded: Admin, host: str) -> None:
    assert (await guarded.get("/healthz", headers={"Host": host})).status == 200


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


async def test_no_route_has_a_method_that_nobody_declared(admin: Admin, guarded: Admin) -> None:
    for template in sorted({template for _, template in ROUTES}):
        path = path_of(template)
        # /bulk/abort is also what /bulk/{id} would take.
        declared = {method for method, of in ROUTES if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", of), path)}
        declared |= {"HEAD"} if "GET" in declared else set()
        for method in set(METHODS) - declared:
            answer = await admin.request(method, path)
            unknown = await guarded.request(method, path)

            assert answer.status == 405, (method, template, answer.status)
            assert set(answer.headers["Allow"].split(", ")) == declared, (method, template)
            assert unknown.status in (401, 405), (method, template, unknown.status)


UNSAFE = [(method, template) for method, template in ROUTES if method != "GET"]
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "nonsense", "Origin": "http://localhost"},
]


@pytest.mark.parametrize(("method", "template"), UNSAFE)
async def test_no_page_of_another_site_changes_anything(admin: Admin, method: str, template: str) -> None:
    for headers in FOREIGN:
        answer = await admin.request(method, path_of(template), headers=headers)

        assert (answer.status, answer.json["code"]) == (403, "cross-site"), headers


async def test_our_own_pages_may_change_things(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    job_id = (await admin.enqueue()).json["job_id"]

    by_origin = await admin.request(
        "POST", "/admin/form/queue/pause", data={"queue": "default"}, headers={"Origin": admin.url}
    )
    by_site = await admin.request(
        "POST", "/admin/form/job/cancel", data={"job_id": str(job_id)}, headers={"Sec-Fetch-Site": "same-origin"}
    )

    assert (by_origin.status, by_origin.headers["Location"]) == (303, "../../queue/list?notice=paused")
    assert (by_site.status, by_site.headers["Location"]) == (303, f"../../queue/jobs/{job_id}?notice=cancelled")
    assert await value(conn, "SELECT state::text FROM river_job") == "cancelled"


def test_an_open_address_without_a_token_is_refused() -> None:
    # The configuration refuses it as well; this is the second lock.
    admin = AdminSettings.model_construct(host="0.0.0.0", port=9999, tokens=[], allowed_hosts=[], require_token=False)

    database = Database(settings_for("host=localhost port=1 user=x dbname=x"))

    with pytest.raises(ConfigError, match=r"admin\.tokens"):
        Door(Settings.model_construct(admin=admin), KnownTokens(database))


async def test_every_response_has_the_headers_that_guard_a_browser(admin: Admin) -> None:
    for method, template in ROUTES:
        answer = await admin.request(method, path_of(template))

        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Request-Id"]
        assert answer.status != 500


async def test_a_request_keeps_the_id_that_it_came_with(admin: Admin) -> None:
    given = await admin.get("/healthz", headers={"X-Request-Id": "abc-1"})
    strange = await admin.get("/healthz", headers={"X-Request-Id": "<script>"})

    assert given.headers["X-Request-Id"] == "abc-1"
    assert strange.headers["X-Request-Id"] != "<script>"
