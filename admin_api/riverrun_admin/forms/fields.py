"""Read a form, and lead back to the page that it was on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import parse_qs, urlencode

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun_admin.body import JOB_BODY_BYTES, read_body
from riverrun_admin.problems import Problem

MOST_FIELDS = 250
# A path below /admin/ and a query; nothing that a browser could take for another host.
_BACK = re.compile(r"(?:queue|error|handler|schedule|server|page)/[A-Za-z0-9_/.%-]+(?:\?[!-~]*)?")


class Fields:
    """The fields of a form; white space around a value does not count."""

    def __init__(self, given: Mapping[str, list[str]]) -> None:
        self._given = given

    def text(self, name: str) -> str:
        """Return a field, empty when it is not there."""
        return self._given.get(name, [""])[-1].strip()

    def optional(self, name: str) -> str | None:
        """Return a field, ``None`` when it is empty."""
        return self.text(name) or None

    def every(self, name: str) -> list[str]:
        """Return all values of a field."""
        return self._given.get(name, [])

    def number(self, name: str) -> int | str | None:
        """Return a field as a whole number, ``None`` when it is empty, and as it is when it is none."""
        text = self.text(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else text or None

    def seconds(self, name: str) -> float | None:
        """Return a field as a number of seconds, ``None`` when it is empty.

        Raises:
            InvalidInput: It is no number.
        """
        text = self.optional(name)
        try:
            return None if text is None else float(text)
        except ValueError as error:
            raise InvalidInput(name, text, "a number of seconds", code="type") from error

    def back(self, otherwise: str) -> str:
        """Return the page to go back to, below ``/admin/``: the one that the form names, if it is one of ours."""
        named = self.text("back")
        return named if _BACK.fullmatch(named) and "//" not in named.partition("?")[0] else otherwise


async def read_fields(request: web.Request) -> Fields:
    """Return the fields of the form that was sent.

    Raises:
        Problem: 415 it is no form; 400 it is not one in UTF-8, or has too many fields; 413 it is too large.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise Problem(415, "unsupported-media-type", "a form has Content-Type: application/x-www-form-urlencoded")
    body = await read_body(request, JOB_BODY_BYTES)
    try:
        given = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except (UnicodeDecodeError, ValueError) as error:
        raise Problem(400, "invalid-form", "the body is not a form in UTF-8") from error
    return Fields(given)


def leave(request: web.Request, path: str, notice: str) -> NoReturn:
    """Go to the page at ``path``, below ``/admin/``, which says what was done."""
    path, _, query = path.partition("?")
    kept = "&".join(each for each in query.split("&") if each and not each.startswith("notice="))
    asked = "&".join(filter(None, (kept, urlencode({"notice": notice}))))
    raise web.HTTPSeeOther(f"{'../' * (request.path.count('/') - 2)}{path}?{asked}")
