"""Read a form, and lead back to the page that it was on."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun_admin.form_fields import given_fields, page_or


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

    def words(self, name: str) -> tuple[str, ...]:
        """Return what stands between the commas of a field."""
        return tuple(word.strip() for word in self.text(name).split(",") if word.strip())

    def last(self) -> dict[str, str]:
        """Return the last value of every field, with the white space around it."""
        return {name: values[-1] for name, values in self._given.items()}

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
        return page_or(self.text("back"), otherwise)


async def read_fields(request: web.Request) -> Fields:
    """Return the fields of the form that was sent; raises as `form_fields.given_fields`."""
    return Fields(await given_fields(request))


def back_to(request: web.Request, path: str, notice: str) -> web.Response:
    """Return the way to the page at ``path``, below ``/admin/``, which says what was done."""
    path, _, query = path.partition("?")
    kept = "&".join(each for each in query.split("&") if each and not each.startswith("notice="))
    asked = "&".join(filter(None, (kept, urlencode({"notice": notice}))))
    return web.Response(status=303, headers={"Location": f"{'../' * (request.path.count('/') - 2)}{path}?{asked}"})
