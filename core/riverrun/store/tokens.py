"""The tokens of the HTTP API and the sessions of browsers; their texts are never kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from riverrun.access import NewToken, Role, digest, make_secret
from riverrun.database.statements import Query, Row, Steps
from riverrun.errors import NotFound

MOST_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept; one with a ``parent`` is the session that a browser made from it."""

    id: str
    name: str
    role: Role
    queues: tuple[str, ...]
    parent: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


def create(
    new: NewToken, *, created_by: str, parent: str | None = None, until: datetime | None = None
) -> Steps[tuple[Token, str]]:
    """Make a token and return it with its text, which nobody can learn again.

    Args:
        new: What it may do.
        created_by: Who asked for it.
        parent: The token that a session is made from.
        until: A moment that it must not outlive, besides its own lifetime.
    """
    token_id, text = make_secret()
    rows = yield Query(
        "token_create",
        {
            "id": token_id,
            "sha256": digest(text),
            "name": new.name,
            "role": str(new.role),
            "queues": list(new.queues),
            "parent": parent,
            "created_by": created_by,
            "lifetime": None if new.lifetime is None else new.lifetime.total_seconds(),
            "until": until,
        },
    )
    return _token(rows[0]), text


def find(text: str) -> Steps[Token | None]:
    """Return the token with this text, if it may be used now."""
    rows = yield Query("token_find", {"sha256": digest(text)})
    return _token(rows[0]) if rows else None


def listed(*, sessions: bool = False) -> Steps[list[Token]]:
    """Return the tokens, or the sessions, the newest first; at most 1,000."""
    rows = yield Query("token_list", {"sessions": sessions, "rows": MOST_LISTED})
    return [_token(row) for row in rows]


def revoke(token_id: str) -> Steps[Token]:
    """End a token and the sessions made from it; admin processes obey within five seconds.

    Raises:
        NotFound: There is none with this id.
    """
    rows = yield Query("token_revoke", {"id": token_id})
    if not rows:
        raise NotFound("token", token_id)
    return _token(rows[0])


def _token(row: Row) -> Token:
    return Token(row[0], row[1], Role(row[2]), tuple(row[3]), *row[4:10])
