"""One transaction for what a request changes, and with an Idempotency-Key for its stored answer as well.

    POST with a key ─ lock key ─┬─ answer kept, same body ──── that answer, Idempotency-Replayed: true
                                ├─ answer kept, other body ─── 422
                                ├─ locked by another ───────── 409
                                └─ new ─ work ─ keep answer ─ commit

Only an answer of success is kept: with any other one the transaction is rolled back, nothing was changed, and the
repeated request is judged anew.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import orjson
from aiohttp import web
from psycopg import AsyncConnection

from riverrun.access import Role
from riverrun.database.statements import Steps
from riverrun.store import idempotency
from riverrun.store.idempotency import Answer
from riverrun_admin.body import read_body
from riverrun_admin.callers import caller_of
from riverrun_admin.problems import Problem
from riverrun_admin.roles import ROLES
from riverrun_admin.services import services
from riverrun_admin.stream import digest as stream_digest
from riverrun_admin.stream import is_stream

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Run = Callable[[Steps[Any]], Awaitable[Any]]

LONGEST_KEY = 255
_UNKEPT = frozenset(
    {
        "/admin/token/create", "/admin/form/token/create", "/admin/handler/register",
        "/admin/handler/rotate_secret", "/admin/form/handler", "/admin/form/handler/rotate",
    }
)  # fmt: skip
"""Their answers hold what is kept nowhere."""

_CONNECTION = web.RequestKey("_CONNECTION", AsyncConnection[tuple[Any, ...]])
_LATER = web.RequestKey("_LATER", functools.partial[Awaitable[web.StreamResponse]])


async def run(request: web.Request, steps: Steps[T]) -> T:
    """Run one operation in the transaction of ``request``, or in one of its own."""
    async with transaction(request) as conn:
        return await services(request).database.statements.run(conn, steps)


async def run_apart(request: web.Request, steps: Steps[T]) -> T:
    """Run one operation as ``run`` does; the transaction of ``request`` goes on when it fails.

    Raises:
        DatabaseUnavailable, QueryTimeout: As `Database.run`.
    """
    database = services(request).database
    async with transaction(request) as conn:
        with database.explained():
            async with conn.transaction():
                return await database.statements.run(conn, steps)


def is_begun(request: web.Request) -> bool:
    """Whether ``request`` holds a connection: who waited for another one could wait for others who do the same."""
    return _CONNECTION in request


@asynccontextmanager
async def transaction(request: web.Request) -> AsyncIterator[AsyncConnection[tuple[Any, ...]]]:
    """Give the connection on which everything that ``request`` does commits together."""
    joined = request.get(_CONNECTION)
    if joined is not None:
        yield joined
        return
    async with services(request).database.connection() as conn, conn.transaction():
        yield conn


@asynccontextmanager
async def whole(request: web.Request) -> AsyncIterator[Run]:
    """Let everything that ``request`` does from here on commit together; give what runs further operations with it."""
    async with transaction(request) as conn:
        request[_CONNECTION] = conn
        try:
            yield functools.partial(services(request).database.statements.run, conn)
        finally:
            request.pop(_CONNECTION, None)


def answer_later(request: web.Request, answer: Callable[[], Awaitable[web.StreamResponse]]) -> None:
    """Let ``answer`` make the answer to ``request`` when all that it changes is committed.

    What the route itself answers is kept for repetitions.
    """
    request[_LATER] = functools.partial(answer)


@web.middleware
async def answer_once(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a repeated POST that carries an Idempotency-Key as it was answered first."""
    response = await _answered_once(request, handler)
    later = request.get(_LATER)
    return response if later is None else await later()


def keeps_answers(path: str) -> bool:
    """Whether the answers of ``POST`` to a path are kept: not where they hold a secret, and not where anybody may come.

    Who is nobody has no keys of their own. A callback says itself which attempt it is about, and is heard once.
    """
    return path not in _UNKEPT and ROLES["POST", path] is not Role.PUBLIC


async def _answered_once(request: web.Request, handler: Handler) -> web.StreamResponse:
    key = request.headers.get("Idempotency-Key")
    resource = request.match_info.route.resource
    if key is None or request.method != "POST" or resource is None or not keeps_answers(resource.canonical):
        return await handler(request)
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise Problem(400, "invalid-idempotency-key", f"an Idempotency-Key has 1 to {LONGEST_KEY} printable characters")
    if not is_stream(request):
        await read_body(request)  # before a connection is taken, for senders that are slow
    caller = caller_of(request).name
    async with whole(request) as run:
        if not await run(idempotency.lock(caller, key)):
            raise Problem(409, "in-flight", "a request with this Idempotency-Key is at work; ask again soon")
        known = await run(idempotency.answer(caller, key))
        if known is None:
            response = await handler(request)
            if isinstance(response, web.Response) and response.status < 400:
                await run(idempotency.keep(caller, key, _kept(response, await _digest(request))))
            return response
    return _replayed(known, await _digest(request))


async def _digest(request: web.Request) -> bytes:
    """Return what tells this request from another one: its path, its query and its body."""
    if is_stream(request):
        return await stream_digest(request)
    body = await read_body(request)
    return hashlib.sha256(b"\0".join([request.method.encode(), request.raw_path.encode(), body])).digest()


def _kept(response: web.Response, digest: bytes) -> Answer:
    body = response.body if isinstance(response.body, bytes) else b""
    document = {"location": response.headers.get("Location"), "body": body.decode()}
    return Answer(digest, response.status, orjson.dumps(document).decode())


def _replayed(known: Answer, digest: bytes) -> web.Response:
    if known.request_hash != digest:
        raise Problem(422, "idempotency-mismatch", "this Idempotency-Key was used for another request")
    document = orjson.loads(known.response)
    headers = {"Idempotency-Replayed": "true"}
    if document["location"]:
        headers["Location"] = document["location"]
    return web.Response(
        body=document["body"].encode(), status=known.status, content_type="application/json", headers=headers
    )
