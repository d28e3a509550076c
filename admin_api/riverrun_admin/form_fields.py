"""Read what a form of a page has sent."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from aiohttp import web

from riverrun_admin.body import read_body
from riverrun_admin.problems import Problem

MOST_FIELDS = 250
"""A list has up to 200 rows to tick."""

# A path below /admin/ and a query; nothing that a browser could take for another host.
_BACK = re.compile(r"(?:queue|error|handler|schedule|server|audit|token|page)/[A-Za-z0-9_/.%-]+(?:\?[!-~]*)?")


async def given_fields(request: web.Request) -> dict[str, list[str]]:
    """Return the fields of a form, each with all its values.

    Raises:
        Problem: 415, it is no form; 413, it is too large; 400, it cannot be read.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise Problem(415, "unsupported-media-type", "a form has Content-Type: application/x-www-form-urlencoded")
    body = await read_body(request)
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        raise Problem(400, "invalid-form", "the body is not a form in UTF-8") from error


async def form_fields(request: web.Request) -> dict[str, str]:
    """Return the fields of a form; of several with one name the last. Raises as `given_fields`."""
    return {name: values[-1] for name, values in (await given_fields(request)).items()}


def page_or(named: str, otherwise: str) -> str:
    """Return a page below ``/admin/`` that a form or a query has named, or ``otherwise`` when it is none of ours."""
    return named if _BACK.fullmatch(named) and "//" not in named.partition("?")[0] else otherwise
