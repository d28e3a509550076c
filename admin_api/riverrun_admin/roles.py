"""What each route may be used by: one that does not stand in the table keeps the process from starting."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from riverrun.access import Role
from riverrun_admin.callers import Caller

ROLES: dict[tuple[str, str], Role] = {
    ("GET", "/"): Role.PUBLIC,
    ("GET", "/admin"): Role.PUBLIC,
    ("GET", "/admin/"): Role.PUBLIC,
    ("GET", "/healthz"): Role.PUBLIC,
    ("GET", "/readyz"): Role.PUBLIC,
    ("GET", "/robots.txt"): Role.PUBLIC,
    ("GET", "/admin/static/{version}/{name}"): Role.PUBLIC,
    ("GET", "/metrics"): Role.READ,
    ("GET", "/admin/problems/{code}"): Role.READ,
    ("POST", "/admin/queue/enqueue"): Role.ENQUEUE,
    ("POST", "/admin/queue/enqueue_many"): Role.ENQUEUE,
    ("POST", "/admin/queue/cancel"): Role.OPERATE,
    ("POST", "/admin/queue/retry"): Role.OPERATE,
    ("POST", "/admin/queue/delete"): Role.OPERATE,
    ("POST", "/admin/queue/run"): Role.OPERATE,
    ("POST", "/admin/queue/snooze"): Role.OPERATE,
    ("POST", "/admin/queue/reprioritize"): Role.OPERATE,
    ("POST", "/admin/queue/move"): Role.OPERATE,
    ("POST", "/admin/queue/update"): Role.EDIT,
    ("GET", "/admin/queue/bulk"): Role.READ,
    ("GET", "/admin/queue/bulk/{bulk_id}"): Role.READ,
    ("POST", "/admin/queue/bulk"): Role.OPERATE,
    ("POST", "/admin/queue/bulk/abort"): Role.OPERATE,
    ("POST", "/admin/queue/clear"): Role.OPERATE,
    ("POST", "/admin/queue/drain"): Role.OPERATE,
    ("POST", "/admin/queue/pause"): Role.OPERATE,
    ("POST", "/admin/queue/resume"): Role.OPERATE,
    ("POST", "/admin/queue/scale"): Role.OPERATE,
    ("GET", "/admin/queue/metadata"): Role.READ,
    ("PUT", "/admin/queue/metadata"): Role.OPERATE,
    ("POST", "/admin/queue/callback/{job_id}"): Role.PUBLIC,
    ("GET", "/admin/queue/stats"): Role.READ,
    ("GET", "/admin/queue/list"): Role.READ,
    ("GET", "/admin/queue/jobs"): Role.READ,
    ("GET", "/admin/queue/terms"): Role.READ,
    ("GET", "/admin/queue/jobs.csv"): Role.READ,
    ("GET", "/admin/queue/jobs.ndjson"): Role.READ,
    ("GET", "/admin/queue/jobs/{job_id}"): Role.READ,
    ("GET", "/admin/queue/jobs/{job_id}/log"): Role.READ,
    ("GET", "/admin/queue/dashboard"): Role.READ,
    ("GET", "/admin/queue/events"): Role.READ,
    ("GET", "/admin/handler/list"): Role.READ,
    ("POST", "/admin/handler/register"): Role.ADMIN,
    ("PUT", "/admin/handler/update"): Role.ADMIN,
    ("DELETE", "/admin/handler/delete"): Role.ADMIN,
    ("POST", "/admin/handler/rotate_secret"): Role.ADMIN,
    ("POST", "/admin/handler/pause"): Role.OPERATE,
    ("POST", "/admin/handler/resume"): Role.OPERATE,
    ("POST", "/admin/handler/test"): Role.OPERATE,
    ("GET", "/admin/schedule/list"): Role.READ,
    ("GET", "/admin/schedule/history"): Role.READ,
    ("POST", "/admin/schedule/create"): Role.ADMIN,
    ("PUT", "/admin/schedule/update"): Role.ADMIN,
    ("DELETE", "/admin/schedule/delete"): Role.ADMIN,
    ("POST", "/admin/schedule/pause"): Role.OPERATE,
    ("POST", "/admin/schedule/resume"): Role.OPERATE,
    ("POST", "/admin/schedule/run"): Role.OPERATE,
    ("GET", "/admin/server/list"): Role.READ,
    ("GET", "/admin/error/list"): Role.READ,
    ("GET", "/admin/page/bulk"): Role.OPERATE,
    ("GET", "/admin/page/enqueue"): Role.READ,
    ("GET", "/admin/page/find"): Role.READ,
    ("GET", "/admin/page/handler"): Role.READ,
    ("GET", "/admin/page/queue"): Role.READ,
    ("GET", "/admin/page/schedule"): Role.READ,
    ("GET", "/admin/page/settings"): Role.READ,
    ("GET", "/admin/page/token"): Role.ADMIN,
    ("GET", "/admin/openapi.json"): Role.READ,
    ("GET", "/admin/reference"): Role.READ,
    ("GET", "/admin/login"): Role.PUBLIC,
    ("POST", "/admin/login"): Role.PUBLIC,
    ("POST", "/admin/logout"): Role.PUBLIC,
    ("GET", "/admin/token/list"): Role.ADMIN,
    ("POST", "/admin/token/create"): Role.ADMIN,
    ("POST", "/admin/token/revoke"): Role.ADMIN,
    ("GET", "/admin/audit/list"): Role.ADMIN,
    ("GET", "/admin/audit/export"): Role.ADMIN,
    ("GET", "/admin/audit/verify"): Role.ADMIN,
    ("POST", "/admin/form/queue/clear"): Role.OPERATE,
    ("POST", "/admin/form/queue/{action}"): Role.OPERATE,
    ("POST", "/admin/form/job/snooze"): Role.OPERATE,
    ("POST", "/admin/form/job/move"): Role.OPERATE,
    ("POST", "/admin/form/job/reprioritize"): Role.OPERATE,
    ("POST", "/admin/form/job/edit"): Role.EDIT,
    ("POST", "/admin/form/job/{action}"): Role.OPERATE,
    ("POST", "/admin/form/jobs/{action}"): Role.OPERATE,
    ("POST", "/admin/form/schedule/{action}"): Role.OPERATE,
    ("POST", "/admin/form/schedule"): Role.ADMIN,
    ("POST", "/admin/form/schedule/delete"): Role.ADMIN,
    ("POST", "/admin/form/schedule/run"): Role.OPERATE,
    ("POST", "/admin/form/handler"): Role.ADMIN,
    ("POST", "/admin/form/handler/delete"): Role.ADMIN,
    ("POST", "/admin/form/handler/rotate"): Role.ADMIN,
    ("POST", "/admin/form/handler/test"): Role.OPERATE,
    ("POST", "/admin/form/handler/{action}"): Role.OPERATE,
    ("POST", "/admin/form/enqueue"): Role.ENQUEUE,
    ("POST", "/admin/form/bulk/begin"): Role.OPERATE,
    ("POST", "/admin/form/bulk/abort"): Role.OPERATE,
    ("POST", "/admin/form/token/create"): Role.ADMIN,
    ("POST", "/admin/form/token/revoke"): Role.ADMIN,
}


MINDS_QUEUES = frozenset(
    {
        ("POST", "/admin/queue/enqueue"),
        ("POST", "/admin/queue/enqueue_many"),
        ("POST", "/admin/queue/cancel"),
        ("POST", "/admin/queue/retry"),
        ("POST", "/admin/queue/delete"),
        ("POST", "/admin/queue/run"),
        ("POST", "/admin/queue/snooze"),
        ("POST", "/admin/queue/reprioritize"),
        ("POST", "/admin/queue/move"),
        ("POST", "/admin/queue/update"),
        ("GET", "/admin/queue/bulk"),
        ("GET", "/admin/queue/bulk/{bulk_id}"),
        ("POST", "/admin/queue/bulk"),
        ("POST", "/admin/queue/bulk/abort"),
        ("POST", "/admin/queue/clear"),
        ("POST", "/admin/queue/drain"),
        ("POST", "/admin/queue/pause"),
        ("POST", "/admin/queue/resume"),
        ("POST", "/admin/queue/scale"),
        ("GET", "/admin/queue/metadata"),
        ("PUT", "/admin/queue/metadata"),
        ("GET", "/admin/queue/stats"),
        ("GET", "/admin/queue/list"),
        ("GET", "/admin/queue/jobs"),
        ("GET", "/admin/queue/terms"),
        ("GET", "/admin/queue/jobs.csv"),
        ("GET", "/admin/queue/jobs.ndjson"),
        ("GET", "/admin/queue/jobs/{job_id}"),
        ("GET", "/admin/queue/jobs/{job_id}/log"),
        ("GET", "/admin/queue/dashboard"),
        ("GET", "/admin/queue/events"),
        ("GET", "/admin/handler/list"),
        ("POST", "/admin/handler/test"),
        ("GET", "/admin/schedule/list"),
        ("GET", "/admin/schedule/history"),
        ("POST", "/admin/schedule/create"),
        ("PUT", "/admin/schedule/update"),
        ("DELETE", "/admin/schedule/delete"),
        ("POST", "/admin/schedule/pause"),
        ("POST", "/admin/schedule/resume"),
        ("POST", "/admin/schedule/run"),
        ("GET", "/admin/server/list"),
        ("GET", "/admin/error/list"),
        ("GET", "/admin/problems/{code}"),
        ("GET", "/admin/page/bulk"),
        ("GET", "/admin/page/enqueue"),
        ("GET", "/admin/page/find"),
        ("GET", "/admin/page/handler"),
        ("GET", "/admin/page/queue"),
        ("GET", "/admin/page/schedule"),
        ("GET", "/admin/page/settings"),
        ("GET", "/admin/openapi.json"),
        ("GET", "/admin/reference"),
        ("POST", "/admin/form/bulk/begin"),
        ("POST", "/admin/form/bulk/abort"),
        ("POST", "/admin/form/queue/clear"),
        ("POST", "/admin/form/queue/{action}"),
        ("POST", "/admin/form/handler/test"),
        ("POST", "/admin/form/job/snooze"),
        ("POST", "/admin/form/job/move"),
        ("POST", "/admin/form/job/reprioritize"),
        ("POST", "/admin/form/job/edit"),
        ("POST", "/admin/form/job/{action}"),
        ("POST", "/admin/form/jobs/{action}"),
        ("POST", "/admin/form/schedule/{action}"),
        ("POST", "/admin/form/schedule"),
        ("POST", "/admin/form/schedule/delete"),
        ("POST", "/admin/form/schedule/run"),
        ("POST", "/admin/form/enqueue"),
    }
)
"""Routes that keep to the queues that a token is for, or show nothing of any; to one that is not for all of them every
other is closed."""


def minds_queues(request: web.Request) -> bool:
    """Whether the route of ``request`` keeps to the queues of its sender, or is open to everybody."""
    key = _key(request)
    return key is None or key in MINDS_QUEUES or ROLES[key] is Role.PUBLIC


def opens(caller: Caller, method: str, path: str) -> bool:
    """Whether a route, by its line in the table, is one that ``caller`` may use."""
    key = (method, path)
    return caller.role.allows(ROLES[key]) and (not caller.queues or key in MINDS_QUEUES)


def needed_role(request: web.Request) -> Role:
    """Return what the sender of ``request`` must at least be."""
    key = _key(request)
    return Role.PUBLIC if key is None else ROLES[key]


def _key(request: web.Request) -> tuple[str, str] | None:
    """Return the line of the table for ``request``; None for the router's own 404 and 405."""
    resource = request.match_info.route.resource
    if resource is None:
        return None
    return "GET" if request.method == "HEAD" else request.method, resource.canonical


def check_every_route_has_a_role(routes: Iterable[web.AbstractRoute]) -> None:
    """Refuse to start with a route that the table does not know, or a line of the table without a route.

    Raises:
        RuntimeError: Names them.
    """
    served = {
        (route.method, route.resource.canonical)
        for route in routes
        if route.resource is not None and route.method != "HEAD"
    }
    if served != ROLES.keys():
        undeclared, unserved = sorted(served - ROLES.keys()), sorted(ROLES.keys() - served)
        raise RuntimeError(f"routes without a role: {undeclared}; roles without a route: {unserved}")
