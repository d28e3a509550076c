"""Read a body of any length line by line: no more of it is held than the line at hand.

Each piece also goes into a digest, so that a stream can be told from another one with the same Idempotency-Key.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

from aiohttp import web

from riverrun_admin.body import JOB_BODY_BYTES, undecodable
from riverrun_admin.problems import FieldError, Problem, invalid

NDJSON = "application/x-ndjson"
LONGEST_LINE = JOB_BODY_BYTES
SILENCE_SECONDS = 30.0
"""A sender that is silent for longer is given up: its transaction keeps a connection and dead rows."""

_DIGEST = web.RequestKey("_DIGEST", type(hashlib.sha256()))


def is_stream(request: web.Request) -> bool:
    """Return whether the body has one JSON text a line."""
    return request.content_type == NDJSON


async def lines(request: web.Request) -> AsyncIterator[tuple[int, bytes]]:
    """Return the lines of the body that are not blank, with their numbers from 1 on.

    Raises:
        Problem: 408, the sender fell silent; 400, it is not encoded as its header says; 422, a line is too long.
    """
    number, rest = 0, b""
    async for piece in _pieces(request):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            number += 1
            _check_length(number, line)
            if text := line.strip():
                yield number, text
        _check_length(number + 1, rest)
    if text := rest.strip():
        yield number + 1, text


async def digest(request: web.Request) -> bytes:
    """Read what is left of the body and return the SHA-256 of the request: its path, its query and all of its body."""
    async for _ in _pieces(request):
        pass
    return request[_DIGEST].digest()


def refused_at(number: int, problem: Problem) -> Problem:
    """Return ``problem``, which one line by itself has, as a problem of that line of the stream."""
    errors = problem.errors or (FieldError("", problem.code, problem.detail),)
    told = invalid(
        [FieldError(f"/{number}{each.pointer}", each.code, f"line {number}: {each.detail}") for each in errors]
    )
    return told if len(errors) == 1 else replace(told, detail=problem.detail)  # it counts those that are not told, too


async def _pieces(request: web.Request) -> AsyncIterator[bytes]:
    seen = request.get(_DIGEST)
    if seen is None:
        seen = request[_DIGEST] = hashlib.sha256(f"{request.method}\0{request.raw_path}\0".encode())
    while True:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                piece = await request.content.readany()
        except TimeoutError as error:
            raise Problem(408, "request-timeout", f"nothing was sent for {SILENCE_SECONDS:.0f} s") from error
        except web.RequestPayloadError as error:
            raise undecodable(request) from error
        if not piece:
            return
        seen.update(piece)
        yield piece


def _check_length(number: int, line: bytes) -> None:
    if len(line) > LONGEST_LINE:
        raise refused_at(number, invalid((FieldError("", "length", f"a line may have at most {LONGEST_LINE} bytes"),)))
