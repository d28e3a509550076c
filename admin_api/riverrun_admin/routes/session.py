"""Log a browser in with a token, and out: the token is exchanged for a session that no script can read."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from aiohttp import web

from riverrun.access import NewToken
from riverrun.store import tokens
from riverrun_admin.auditing import note, note_refused, recorded
from riverrun_admin.callers import SESSION_COOKIE, Caller
from riverrun_admin.form_fields import form_fields
from riverrun_admin.pages.login import login_page, way_back
from riverrun_admin.problems import Problem
from riverrun_admin.services import services
from riverrun_admin.transaction import run


async def show(request: web.Request) -> web.Response:
    """Return the form."""
    return login_page(request)


async def log_in(request: web.Request) -> web.StreamResponse:
    """Make a session from the token in the form, and go on to what was wanted."""
    fields = await form_fields(request)
    try:  # before a transaction is begun: it would keep a connection from those who only have to be looked up
        caller = await services(request).door.identify(request, fields.get("token", "").strip())
    except Problem as problem:
        if problem.status != 401:
            raise
        note_refused(request, problem, shown=True)
        return login_page(request, failed=True)
    if caller.session is not None:  # a session that makes sessions would never end
        return login_page(request, failed=True)
    return await recorded(request, partial(_begin, caller=caller, onward=way_back(fields.get("next", ""))))


async def _begin(request: web.Request, *, caller: Caller, onward: str) -> web.StreamResponse:
    hours = services(request).settings.admin.session_hours
    new = NewToken(caller.actor.removeprefix("token:"), caller.role, caller.queues, timedelta(hours=hours))
    made = tokens.create(new, created_by=caller.actor, parent=caller.token, until=caller.until)
    _, session = await run(request, made)
    note(request, actor=caller.actor, target=caller.actor, after={})
    response = web.Response(status=303, headers={"Location": onward})
    response.set_cookie(
        SESSION_COOKIE,
        session,
        max_age=hours * 3600,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=request.secure,
    )
    return response


async def log_out(request: web.Request) -> web.StreamResponse:
    """End the session of this browser."""
    text = request.cookies.get(SESSION_COOKIE)
    if text:
        session = await run(request, tokens.find(text))
        if session is not None and session.parent is not None:
            await run(request, tokens.revoke(session.id))
            services(request).known_tokens.forget()
            note(request, actor=f"token:{session.name}", target=f"token:{session.name}")
    response = web.Response(status=303, headers={"Location": "login"})
    response.del_cookie(SESSION_COOKIE, path="/")
    return response


ROUTES = (
    web.get("/admin/login", show),
    web.post("/admin/login", log_in),
    web.post("/admin/logout", log_out),
)
