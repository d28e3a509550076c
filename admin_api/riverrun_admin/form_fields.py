"""Read what a form of a page has sent."""

from __future__ import annotations

from urllib.parse import parse_qs

from aiohttp import web

from riverrun_admin.body import SMALL_BODY_BYTES, read_body
from riverrun_admin.problems import Problem

Fields = dict[str, str]


async def form_fields(request: web.Request) -> Fields:
    """Return the fields of a form; of several with one name the last.

    Raises:
        Problem: 415, it is no form; 413, it is too large; 400, it cannot be read.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise Problem(415, "unsupported-media-type", "a form has Content-Type: application/x-www-form-urlencoded")
    body = await read_body(request, SMALL_BODY_BYTES)
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20, errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        raise Problem(400, "invalid-form", "the body is not a form in UTF-8") from error
    return {name: values[-1] for name, values in fields.items()}
