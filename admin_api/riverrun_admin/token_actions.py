"""Make and revoke tokens, for the API and for the forms of the pages alike."""

from __future__ import annotations

from aiohttp import web

from riverrun.access import NewToken
from riverrun.store import tokens
from riverrun.store.tokens import Token
from riverrun_admin.auditing import note
from riverrun_admin.callers import caller_of
from riverrun_admin.services import services
from riverrun_admin.transaction import run


async def create(request: web.Request, new: NewToken) -> tuple[Token, str]:
    """Make a token and return it with its text, which nobody can learn again."""
    token, text = await run(request, tokens.create(new, created_by=caller_of(request).actor))
    note(request, target=f"token:{token.id}")
    return token, text


async def revoke(request: web.Request, token_id: str) -> Token:
    """End a token and the sessions made from it.

    Raises:
        NotFound: There is none with this id.
    """
    token = await run(request, tokens.revoke(token_id))
    note(request, target=f"token:{token.id}", before={"name": token.name, "role": token.role, "queues": token.queues})
    services(request).known_tokens.forget()
    return token
