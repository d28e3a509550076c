"""Make, list and revoke tokens; the text of one is told once, in the answer that makes it."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from riverrun.access import new_token
from riverrun.store import tokens
from riverrun_admin import token_actions
from riverrun_admin.body import read_object
from riverrun_admin.documents import respond, token_document
from riverrun_admin.filters import flag, is_lenient, refuse_unknown
from riverrun_admin.models import TokenBody, TokenIdBody
from riverrun_admin.negotiation import accepts_page_or_json
from riverrun_admin.pages.tokens import tokens_page
from riverrun_admin.pages.view import CHOICES
from riverrun_admin.rules import validated
from riverrun_admin.services import services


async def list_tokens(request: web.Request) -> web.Response:
    """List the tokens in the database, or with ``sessions=true`` the browsers that are logged in."""
    refuse_unknown(request, frozenset({"sessions", "lenient", "notice", *CHOICES}))
    database = services(request).database
    if accepts_page_or_json(request):
        return tokens_page(
            request, await database.run(tokens.listed()), await database.run(tokens.listed(sessions=True))
        )
    found = await database.run(tokens.listed(sessions=flag(request, "sessions")))
    return respond({"data": [token_document(token) for token in found], "next_cursor": None})


async def create(request: web.Request) -> web.Response:
    """Make a token: 201, with its text."""
    body = validated(TokenBody, await read_object(request), lenient=is_lenient(request))
    lifetime = None if body.expires_in_s is None else timedelta(seconds=body.expires_in_s)
    new = new_token(body.name, body.role, queues=body.queues, lifetime=lifetime)
    token, text = await token_actions.create(request, new)
    return respond({**token_document(token), "token": text}, status=201)


async def revoke(request: web.Request) -> web.Response:
    """End a token and the sessions made from it."""
    body = validated(TokenIdBody, await read_object(request), lenient=is_lenient(request))
    return respond(token_document(await token_actions.revoke(request, body.token_id)))


ROUTES = (
    web.get("/admin/token/list", list_tokens),
    web.post("/admin/token/create", create),
    web.post("/admin/token/revoke", revoke),
)
