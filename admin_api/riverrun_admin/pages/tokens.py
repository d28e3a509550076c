"""The tokens of the API and the browsers that are logged in, and the form that makes a token."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from aiohttp import web

from riverrun.access import TOKEN_ROLES
from riverrun.store.tokens import Token
from riverrun_admin.pages.render import page

LIVES = (("1", 86_400), ("7", 604_800), ("30", 2_592_000), ("90", 7_776_000), ("365", 31_536_000), ("0", None))
"""How long a token may be made to last: days, and seconds; the last one lasts until it is revoked."""


def tokens_page(request: web.Request, found: Sequence[Token], sessions: Sequence[Token]) -> web.Response:
    """Return the list of tokens, with the browsers that are logged in now."""
    now = datetime.now(UTC)
    return page(request, "tokens", tokens=found, sessions=[each for each in sessions if is_valid(each, now)], now=now)


async def token_page(request: web.Request) -> web.Response:
    """Return the form for a new token."""
    return page(request, "token", roles=TOKEN_ROLES, lives=LIVES)


def is_valid(token: Token, now: datetime) -> bool:
    """Whether a token may still be used."""
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)


def secret_page(request: web.Request, of: str, secret: str, *, onward: str) -> web.Response:
    """Return the only page that ever shows a secret.

    Args:
        request: What has made it.
        of: What it belongs to; the texts ``secret.title.<of>`` and ``secret.about.<of>`` say so.
        secret: The secret.
        onward: Where the reader goes on, below ``/admin/``.
    """
    return page(request, "secret", of=of, secret=secret, onward=onward)
