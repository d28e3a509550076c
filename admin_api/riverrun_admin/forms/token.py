"""Make and revoke tokens; the page that answers the making shows the text of the token, and no other page does."""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from riverrun.access import new_token
from riverrun_admin import token_actions
from riverrun_admin.forms.fields import back_to, read_fields
from riverrun_admin.pages.tokens import secret_page


async def create(request: web.Request) -> web.StreamResponse:
    """Make a token and show it this once."""
    fields = await read_fields(request)
    seconds = fields.seconds("expires_in_s")
    new = new_token(
        fields.text("name"),
        fields.text("role"),
        queues=fields.text("queues").replace(",", " ").split(),
        lifetime=None if seconds is None else timedelta(seconds=seconds),
    )
    _, text = await token_actions.create(request, new)
    return secret_page(request, "token", text, onward="token/list")


async def revoke(request: web.Request) -> web.StreamResponse:
    """End a token and the sessions made from it."""
    fields = await read_fields(request)
    await token_actions.revoke(request, fields.text("token_id"))
    return back_to(request, "token/list", "token_revoked")


ROUTES = (
    web.post("/admin/form/token/create", create),
    web.post("/admin/form/token/revoke", revoke),
)
