"""The form for a new job, with a field for each of its arguments when its kind says what they are."""

from __future__ import annotations

from aiohttp import web

from riverrun.job import Job, decode_json
from riverrun.store.registry import RegisteredHandler
from riverrun_admin.args_form import Member, members_of
from riverrun_admin.pages.render import page
from riverrun_admin.reading import read_job
from riverrun_admin.scope import handlers_seen


async def enqueue_page(request: web.Request) -> web.Response:
    """Return the form, filled from the job that the query names as a model."""
    like = await _model(request)
    known = {each.kind: each for each in await handlers_seen(request)}
    kind = like.kind if like else request.query.get("kind", "")
    return page(
        request,
        "enqueue",
        like=like,
        kind=kind,
        queue=like.queue if like else request.query.get("queue") or "default",
        kinds=list(known),
        formed=[each.kind for each in known.values() if members_of(each.registration.args_schema)],
        members=[] if request.query.get("raw") == "1" else _members(known.get(kind), like),
    )


async def _model(request: web.Request) -> Job | None:
    text = request.query.get("like", "")
    return await read_job(request, int(text)) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _members(handler: RegisteredHandler | None, like: Job | None) -> list[Member]:
    """Return the fields for the arguments; none when nobody has said what they are, or the model has others."""
    if handler is None:
        return []
    known = decode_json(like.args_text) if like else {}
    members = members_of(handler.registration.args_schema, known)
    return members if known.keys() <= {each.name for each in members} else []
