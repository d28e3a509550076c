"""Hand out jobs and their logs as files."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.names import check_job_id
from riverrun_admin.attempt_logs import attempt_logs
from riverrun_admin.exporting import as_csv, as_ndjson, exported, head_of_csv
from riverrun_admin.filters import job_filter, order_wanted, refuse_unknown
from riverrun_admin.reading import read_job
from riverrun_admin.sending import attached, send_pieces
from riverrun_admin.stream import NDJSON

CSV, TEXT = "text/csv; charset=utf-8", "text/plain; charset=utf-8"
_ORDER = frozenset({"order"})


async def jobs_csv(request: web.Request) -> web.StreamResponse:
    """Stream the jobs that the query asks for, as rows for a spreadsheet."""
    rows = exported(request, job_filter(request, also=_ORDER), order_wanted(request), as_csv)
    return await send_pieces(request, _headed(rows), attached(CSV, "riverrun-jobs.csv"))


async def jobs_ndjson(request: web.Request) -> web.StreamResponse:
    """Stream the jobs that the query asks for, a JSON text a line."""
    lines = exported(request, job_filter(request, also=_ORDER), order_wanted(request), as_ndjson)
    return await send_pieces(request, lines, attached(NDJSON, "riverrun-jobs.ndjson"))


async def log(request: web.Request) -> web.Response:
    """Return what the attempts of a job have logged, the oldest first; with ``attempt`` that one's lines alone."""
    refuse_unknown(request, frozenset({"attempt", "lenient"}))
    job_id = check_job_id(request.match_info["job_id"], "job_id")
    wanted = _attempt(request)
    found = attempt_logs(await read_job(request, job_id))
    if wanted is None:
        text = "\n".join(f"--- attempt {attempt} ---\n{lines}" for attempt, lines in found)
    else:
        text = "".join(lines for attempt, lines in found if attempt == wanted)
    return web.Response(body=text.encode(), headers=attached(TEXT, f"riverrun-job-{job_id}.log"))


async def _headed(rows: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the names of the columns together with the first rows, which may be refused."""
    yield head_of_csv() + await anext(rows)
    async for some in rows:
        yield some


def _attempt(request: web.Request) -> int | None:
    text = request.query.get("attempt")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 5 or not int(text):
        raise InvalidInput("?attempt", text, "the number of an attempt", code="format")
    return int(text)


ROUTES = (
    web.get("/admin/queue/jobs.csv", jobs_csv),
    web.get("/admin/queue/jobs.ndjson", jobs_ndjson),
    web.get("/admin/queue/jobs/{job_id}/log", log),
)
