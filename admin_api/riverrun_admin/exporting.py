"""Jobs as files: what a list shows, of any length, for spreadsheets (CSV) and for programs (a JSON text a line)."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence

import orjson
from aiohttp import web

from riverrun.job import Job
from riverrun.store.listing import JobFilter, Order
from riverrun_admin import answers
from riverrun_admin.documents import encoded, job_summary
from riverrun_admin.reading import read_page

ROWS = 25
"""So many jobs are held at a time: each may have 1 MiB of arguments."""

BEGIN_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet would take for a formula, which somebody may have put into the error of a job."""

COLUMNS = (
    "job_id", "state", "task_type", "queue", "priority", "attempt", "max_attempts", "created_at", "scheduled_at",
    "attempted_at", "finalized_at", "tags", "errors", "last_error", "task_params",
)  # fmt: skip


async def exported(
    request: web.Request, wanted: JobFilter, order: Order | None, written: Callable[[Sequence[Job]], bytes]
) -> AsyncIterator[bytes]:
    """Yield the jobs that the sender may see, as ``written`` writes them, some at a time."""
    cursor: str | None = None
    while True:
        page = await read_page(request, wanted, limit=ROWS, cursor=cursor, order=order)
        yield written(page.jobs)
        cursor = page.next_cursor
        if cursor is None:
            return


def as_ndjson(jobs: Sequence[Job]) -> bytes:
    """Return the jobs as lists have them, a line each, their arguments whole."""
    return b"".join(encoded(_document(job)) for job in jobs)


def head_of_csv() -> bytes:
    """Return the names of the columns, after the mark by which spreadsheets know UTF-8."""
    return b"\xef\xbb\xbf" + _rows([COLUMNS])


def as_csv(jobs: Sequence[Job]) -> bytes:
    """Return the jobs as rows; no cell is a formula."""
    return _rows([_row(job) for job in jobs])


def _document(job: Job) -> answers.JobSummary:
    return {**job_summary(job), "task_params": orjson.Fragment(job.args_text.encode())}


def _row(job: Job) -> list[object]:
    document = {**job_summary(job), "tags": " ".join(job.tags), "task_params": job.args_text}
    return [_cell(document[name]) for name in COLUMNS]


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(BEGIN_A_FORMULA) else value


def _rows(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
