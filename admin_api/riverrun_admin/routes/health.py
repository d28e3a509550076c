"""Tell whoever starts and watches this process whether it lives, whether it can work, and what it has measured."""

from __future__ import annotations

from aiohttp import web

from riverrun.store import statistics
from riverrun.telemetry.host_totals import render
from riverrun_admin.documents import respond
from riverrun_admin.problems import Problem
from riverrun_admin.services import services


async def healthz(_request: web.Request) -> web.Response:
    """The process lives; whether the database does is another question."""
    return respond({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """The process can do its work: the database answers, its tables are ours, and no stop was asked for.

    Raises:
        Problem: 503 while it drains, or before the tables were checked.
        DatabaseUnavailable: The database does not answer.
    """
    served_by = services(request)
    if served_by.context.draining.is_set():
        raise Problem(503, "draining", "this process is about to stop")
    await served_by.database.run(statistics.served([]))
    if not served_by.schema_checked.is_set():
        raise Problem(
            503, "schema", "the tables of the database have not been checked yet", headers={"Retry-After": "1"}
        )
    return respond({"status": "ready"})


async def host_metrics(request: web.Request) -> web.Response:
    """Return what all processes of this host have measured, in Prometheus' text format."""
    samples = await services(request).context.host_metrics()
    return web.Response(body=render(samples), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def robots(_request: web.Request) -> web.Response:
    """Ask search engines to stay away."""
    return web.Response(text="User-agent: *\nDisallow: /\n")


ROUTES = (
    web.get("/healthz", healthz),
    web.get("/readyz", readyz),
    web.get("/metrics", host_metrics),
    web.get("/robots.txt", robots),
)
