"""Looks tokens up in the database, each at most every five seconds: so soon a revoked one is refused everywhere."""

from __future__ import annotations

import time
from collections import OrderedDict

from riverrun.access import digest
from riverrun.store import tokens
from riverrun.store.tokens import Token
from riverrun_admin.database import Database

BELIEVED_SECONDS = 5.0
MOST_KNOWN = 1_000


class KnownTokens:
    """The tokens that were used last; a text that is no token is asked for anew each time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[bytes, tuple[float, Token]] = OrderedDict()

    def remembered(self, text: str) -> Token | None:
        """Return the token if it was looked up less than five seconds ago."""
        asked, token = self._known.get(digest(text), (0.0, None))
        return token if time.monotonic() - asked < BELIEVED_SECONDS else None

    async def find(self, text: str) -> Token | None:
        """Return the token with this text, if it may be used now.

        Raises:
            DatabaseUnavailable: Nobody knows.
        """
        token = await self._database.run(tokens.find(text))
        if token is not None:
            self._known[digest(text)] = (time.monotonic(), token)
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return token

    def forget(self) -> None:
        """Ask anew for every token, because one of them was changed here."""
        self._known.clear()
