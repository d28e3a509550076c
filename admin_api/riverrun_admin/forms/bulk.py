"""Begin an operation on many jobs once it was confirmed, and end one where it is."""

from __future__ import annotations

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.names import check_job_id
from riverrun_admin import bulk_actions
from riverrun_admin.forms.change import params_of
from riverrun_admin.forms.fields import Fields, back_to, read_fields
from riverrun_admin.models import MOST_JOBS
from riverrun_admin.pages.bulk_ask import MOST_UNASKED, Asked, bulk_ask_page, known_action
from riverrun_admin.pages.refusal import Refused, on_its_page


async def begin(request: web.Request) -> web.StreamResponse:
    """Begin what was confirmed, and show how far it is."""
    fields = await read_fields(request)
    action = known_action(fields.text("action"), "action")  # or there is no page of it to say on why it was refused
    line, ids = fields.optional("filter"), _ids(fields)

    async def draw(refused: Refused, status: int) -> web.Response:
        asked = Asked(action, line, ids, fields.back(""))
        return await bulk_ask_page(request, asked, refused=refused, status=status)

    on_its_page(request, "bulk", fields.last(), draw)
    params = params_of(action, fields)
    wanted, text = await bulk_actions.meant(request, line, ids)
    _check_sure(fields)
    bulk = await bulk_actions.begin(request, action, params, wanted, text=text)
    return back_to(request, f"queue/bulk/{bulk.id}", "bulk_begun")


def _ids(fields: Fields) -> tuple[int, ...] | None:
    """Return the jobs that were ticked; None when a filter says which."""
    ticked = fields.words("ids")
    if len(ticked) > MOST_JOBS:
        raise InvalidInput("ids", len(ticked), f"at most {MOST_JOBS} values", code="length")
    return tuple(check_job_id(each, "ids") for each in ticked) or None


def _check_sure(fields: Fields) -> None:
    """Refuse what is about very many jobs unless their number, as the page has shown it, was typed."""
    shown = fields.number("shown")
    if isinstance(shown, int) and shown > MOST_UNASKED and fields.number("sure") != shown:
        raise InvalidInput("sure", fields.text("sure"), f"{shown}, the number that the page shows", code="required")


async def abort(request: web.Request) -> web.StreamResponse:
    """End an operation; what it has changed stays changed."""
    fields = await read_fields(request)
    bulk = await bulk_actions.abort(request, check_job_id(fields.text("bulk_id"), "bulk_id"))
    return back_to(request, fields.back(f"queue/bulk/{bulk.id}"), "bulk_aborted")


ROUTES = (
    web.post("/admin/form/bulk/begin", begin),
    web.post("/admin/form/bulk/abort", abort),
)
