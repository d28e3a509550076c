"""Enqueue any number of jobs from one request: a line each, by COPY, in one transaction and in constant memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from aiohttp import web

from riverrun.database.statements import Steps
from riverrun.new_job import NewJob
from riverrun.store import bulk, registry
from riverrun.store.registry import RegisteredHandler
from riverrun_admin.body import Value, parse
from riverrun_admin.enqueueing import checked_job, count
from riverrun_admin.filters import is_lenient
from riverrun_admin.models import EnqueueBody
from riverrun_admin.problems import FieldError, Problem, invalid
from riverrun_admin.rules import validated
from riverrun_admin.scope import check_queue_is_theirs
from riverrun_admin.services import services
from riverrun_admin.stream import lines, refused_at
from riverrun_admin.transaction import transaction

MOST_STREAMS = 2
"""Streams that are taken at once: each keeps a connection of the few that this process has."""


LONGEST_SECONDS = 600.0
"""How long one may take: as long as its transaction is open, no dead row can be removed from the database."""


@dataclass(slots=True)
class Tally:
    """What has become of a stream so far; ``given`` and ``new`` are counted by queue and kind."""

    given: Counter[tuple[str, str]] = field(default_factory=Counter)
    new: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, chunk: list[NewJob], new: list[NewJob]) -> None:
        """Count a chunk, of whose jobs those in ``new`` were not there before."""
        self.given.update((job.queue, job.kind) for job in chunk)
        self.new.update((job.queue, job.kind) for job in new)

    def document(self) -> dict[str, object]:
        """Return what the sender is told."""
        given, new = self.given.total(), self.new.total()
        return {"jobs": given, "enqueued": new, "duplicates": given - new}

    def by_result(self) -> dict[tuple[str, str, str], int]:
        """Return how many jobs were new and how many not, by queue, kind and result."""
        old = self.given - self.new
        return {
            (*place, result): jobs
            for result, counted in (("inserted", self.new), ("duplicate", old))
            for place, jobs in counted.items()
        }


async def enqueue_stream(request: web.Request) -> dict[str, object]:
    """Enqueue all jobs in the body of ``request``, or none, and return how many.

    Raises:
        Problem: 422, of the first line that is not allowed; 408; 429, too many streams at once.
    """
    streams = services(request).streams
    if streams.locked():
        raise Problem(
            429, "too-many-requests", f"{MOST_STREAMS} streams are being taken already", headers={"Retry-After": "5"}
        )
    async with streams:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                tally = await _enqueue(request)
        except TimeoutError as error:
            detail = f"the stream took longer than {LONGEST_SECONDS:.0f} s; send it in parts"
            raise Problem(408, "request-timeout", detail) from error
    services(request).changed()
    count(request, tally.by_result())
    return tally.document()


async def _enqueue(request: web.Request) -> Tally:
    statements, tally, cutter = services(request).database.statements, Tally(), bulk.ChunkCutter()
    async with transaction(request) as conn:
        await statements.run(conn, bulk.wait_for_source())
        handlers = await statements.run(conn, _handlers())
        async for number, line in lines(request):
            if chunk := cutter.add(_job(request, number, line, handlers)):
                tally.add(chunk, await statements.run(conn, bulk.copy_in(chunk)))
        if chunk := cutter.rest():
            tally.add(chunk, await statements.run(conn, bulk.copy_in(chunk)))
    if not tally.given:
        raise invalid((FieldError("", "length", "the body must have at least one line with a job"),))
    return tally


def _handlers() -> Steps[dict[str, RegisteredHandler]]:
    return {handler.kind: handler for handler in (yield from registry.handlers())}


def _job(request: web.Request, number: int, line: bytes, handlers: dict[str, RegisteredHandler]) -> NewJob:
    try:
        body = validated(EnqueueBody, _object(line), lenient=is_lenient(request))
    except Problem as problem:
        raise refused_at(number, problem) from problem
    check_queue_is_theirs(request, body.queue)
    return checked_job(body, handlers.get(body.task_type), services(request).settings, path=f"{number}.")


def _object(line: bytes) -> dict[str, Value]:
    value = parse(line)
    if not isinstance(value, dict):
        raise invalid((FieldError("", "type", "a line must be a JSON object"),))
    return value
