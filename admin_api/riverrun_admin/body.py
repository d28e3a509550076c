"""Read request bodies strictly, and job arguments without touching them.

Python's parser would take NaN, keep the last of two equal names, and turn 1.10 or a number of 400 digits into
something else. Here such bodies are refused, and ``task_params`` given as an object becomes text again digit by digit,
so that what is stored is what was sent.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from typing import NoReturn, TypeAlias

from aiohttp import web

from riverrun.sanitize import MAX_BYTES, MAX_DEPTH
from riverrun_admin.problems import Problem

ENVELOPE_BYTES = 64 * 1024
JOB_BODY_BYTES = 2 * MAX_BYTES + ENVELOPE_BYTES
"""Arguments of 1 MiB whose every second character is escaped, and what is around them."""

MANY_BODY_BYTES = 16 * MAX_BYTES
_FORMS = "/admin/form/"
_LIMITS = {
    "/admin/queue/enqueue": JOB_BODY_BYTES,
    "/admin/queue/enqueue_many": MANY_BODY_BYTES,
    "/admin/queue/update": JOB_BODY_BYTES,
    "/admin/queue/bulk": JOB_BODY_BYTES,
    "/admin/queue/callback/{job_id}": MAX_BYTES,
    "/admin/schedule/create": JOB_BODY_BYTES,
    "/admin/schedule/update": JOB_BODY_BYTES,
    "/admin/handler/test": JOB_BODY_BYTES,
}
"""How long the body of a route may be that takes more than an envelope."""

BODY_SECONDS = 60.0
"""Who has not sent a body after this time holds a connection and nothing else."""

VERBATIM = "task_params"
"""The member whose value is kept as it was written."""

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | float | bool | None"

_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
_LONGEST_NUMBER = 32
_BODY = web.RequestKey("_BODY", bytes)


class _Number(str):
    """A number as the text it was written in."""

    __slots__ = ()


async def read_body(request: web.Request) -> bytes:
    """Return the body of ``request``; it can be asked for again.

    Raises:
        Problem: 413, it is longer than its route may take; 408, it did not come to its end in time; 400, it is not
            encoded as its header says.
    """
    body = request.get(_BODY)
    if body is None:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = request[_BODY] = await _received(request, _limit(request))
        except TimeoutError as error:
            raise Problem(408, "request-timeout", f"the body took longer than {BODY_SECONDS:.0f} s") from error
        except OSError as error:  # whoever sent it has left: an answer for the log, and no failure of ours
            raise Problem(408, "request-timeout", "the sender left before the body came to its end") from error
        except web.RequestPayloadError as error:
            raise undecodable(request) from error
    return body


async def _received(request: web.Request, limit: int) -> bytes:
    too_large = Problem(413, "payload-too-large", f"the body may have at most {limit} bytes")
    if (request.content_length or 0) > limit:
        raise too_large
    received = bytearray()
    async for chunk in request.content.iter_any():
        received += chunk
        if len(received) > limit:
            raise too_large
    return bytes(received)


def _limit(request: web.Request) -> int:
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else ""
    return JOB_BODY_BYTES if path.startswith(_FORMS) else _LIMITS.get(path, ENVELOPE_BYTES)


def undecodable(request: web.Request) -> Problem:
    """Return the problem of a body that is not what its header says; its connection ends with the answer."""
    request.content.feed_eof()  # or aiohttp meets the error once more, and logs it as one of ours
    request.protocol.close()  # when the answer is sent: where the next request begins, nobody knows
    return Problem(400, "invalid-json", "the body cannot be decoded as its header says")


async def read_object(request: web.Request) -> dict[str, Value]:
    """Return the JSON object in the body of ``request``; objects named ``task_params`` as the text they came in.

    Raises:
        Problem: 415, 413, 408, 400 (not JSON) or 422 (not an object).
    """
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise Problem(415, "unsupported-media-type", "the body must have Content-Type: application/json, in UTF-8")
    value = parse(await read_body(request))
    if not isinstance(value, dict):
        raise Problem(422, "validation", "the body must be a JSON object")
    return value


def parse(body: bytes) -> Value:
    """Return the value of JSON text.

    Raises:
        Problem: 400, it is not JSON, or JSON that means different things to different readers.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _not_json(f"not UTF-8 at byte {error.start}") from error
    _check_depth(text)
    try:
        raw = json.loads(
            text, object_pairs_hook=_members, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant
        )
    except json.JSONDecodeError as error:
        raise _not_json(f"{error.msg} at character {error.pos}") from error
    return _plain(raw)


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the parser, which recurses, meets it."""
    depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = match[0][0]
        depth += (mark in "[{") - (mark in "]}")
        if depth > MAX_DEPTH + 4:
            raise _not_json(f"nested deeper than {MAX_DEPTH} levels")


def _members(pairs: list[tuple[str, Value]]) -> dict[str, Value]:
    members = dict(pairs)
    if len(members) < len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = next(name for name in members if times[name] > 1)
        raise _not_json(f"the name {twice[:80]!r} stands twice in one object")
    return members


def _no_constant(name: str) -> NoReturn:
    raise _not_json(f"{name} is not JSON")


def _not_json(reason: str) -> Problem:
    return Problem(400, "invalid-json", f"the body is not JSON: {reason}")


def _plain(value: Value, *, name: str | None = None) -> Value:
    """Return ``value`` with Python's numbers, and every object named ``task_params`` as text."""
    match value:
        case dict() | list() if name == VERBATIM:
            return _Args("".join(_written(value)))
        case dict():
            return {key: _plain(member, name=key) for key, member in value.items()}
        case list():
            return [_plain(element) for element in value]
        case _Number():
            return _number(value)
        case _:
            return value


class _Args(str):
    """Arguments that came as JSON, not as a string with JSON in it."""

    __slots__ = ()


def _number(text: str) -> int | float:
    """Return a number of the envelope; none of its fields needs one of more than 32 characters."""
    if len(text) > _LONGEST_NUMBER:
        raise Problem(422, "validation", f"a number of {len(text)} characters is not allowed outside of {VERBATIM}")
    return float(text) if any(mark in text for mark in ".eE") else int(text)


def _written(value: Value) -> list[str]:
    """Return ``value`` as compact JSON in pieces, its numbers as they were written."""
    match value:
        case dict():
            parts = ["{"]
            for position, (name, member) in enumerate(value.items()):
                parts += [",", _text(name), ":"] if position else [_text(name), ":"]
                parts += _written(member)
            return [*parts, "}"]
        case list():
            parts = ["["]
            for position, element in enumerate(value):
                parts += [",", *_written(element)] if position else _written(element)
            return [*parts, "]"]
        case _Number():
            return [str(value)]
        case _:
            return [_text(value)]


def _text(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False)
