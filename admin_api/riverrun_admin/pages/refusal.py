"""Say why a form was refused on the page that the form is on, beside it and with what was typed in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

from riverrun.errors import RiverrunError
from riverrun_admin.pages.render import error_page
from riverrun_admin.problems import Problem


@dataclass(frozen=True, slots=True)
class Refused:
    """A form that was refused.

    Attributes:
        form: Which form of its page.
        typed: What stood in its fields.
        reasons: Why it was refused, a sentence for each field.
    """

    form: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()


NOT_REFUSED = Refused()


@dataclass(frozen=True, slots=True)
class _FormPage:
    """How to draw the page that a form is on."""

    form: str
    typed: Mapping[str, str]
    draw: Callable[[Refused, int], Awaitable[web.Response]]


_FORM_PAGE = web.RequestKey("_FORM_PAGE", _FormPage)


def on_its_page(
    request: web.Request,
    form: str,
    typed: Mapping[str, str],
    draw: Callable[[Refused, int], Awaitable[web.Response]],
) -> None:
    """Let ``draw`` make the answer, with this status, when what ``request`` asks for is refused from here on."""
    request[_FORM_PAGE] = _FormPage(form, typed, draw)


async def refused_page(request: web.Request, problem: Problem) -> web.Response:
    """Return the page that the form was on, or one about ``problem`` alone when there is none or it is gone."""
    known: _FormPage | None = request.get(_FORM_PAGE)
    if known is not None and problem.status < 500:
        reasons = tuple(error.detail for error in problem.errors) or (problem.detail,)
        try:
            return await known.draw(Refused(known.form, known.typed, reasons), problem.status)
        except (RiverrunError, Problem):
            pass  # the job, say, was deleted meanwhile, or the database went away
    return error_page(request, problem)
