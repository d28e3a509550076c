"""What tokens of the HTTP API may do, and what one looks like.

    rr_<id>_<secret>      the id may be shown and names the token; of the whole only a digest is kept

A secret has 256 bits of chance, so that its plain SHA-256 can be neither guessed nor looked up.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from riverrun.errors import InvalidInput

MOST_QUEUES = 50
LONGEST_LIFE = timedelta(days=3650)
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,127}")
_GLOB = re.compile(r"[a-z0-9_*?|-]{1,64}")
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


class Role(StrEnum):
    """What a sender may do, or what a route needs."""

    PUBLIC = "public"
    READ = "read"
    ENQUEUE = "enqueue"
    OPERATE = "operate"
    EDIT = "edit"
    ADMIN = "admin"

    def allows(self, needed: Role) -> bool:
        """Whether somebody with this role may do what ``needed`` stands for."""
        return needed is Role.PUBLIC or needed in _GRANTS[self]


_OPERATOR = frozenset({Role.READ, Role.ENQUEUE, Role.OPERATE})
_GRANTS = {
    Role.PUBLIC: frozenset[Role](),
    Role.READ: frozenset({Role.READ}),
    Role.ENQUEUE: frozenset({Role.ENQUEUE}),
    Role.OPERATE: _OPERATOR,
    Role.EDIT: _OPERATOR | {Role.EDIT},
    Role.ADMIN: frozenset(Role),
}
TOKEN_ROLES = tuple(role for role in Role if role is not Role.PUBLIC)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token to make.

    Attributes:
        name: What its owner calls it; free text.
        queues: Names or patterns with ``*`` and ``?``; empty means every queue.
        lifetime: How long it may be used; None: until it is revoked.
    """

    name: str
    role: Role
    queues: tuple[str, ...] = ()
    lifetime: timedelta | None = None


def new_token(
    name: object, role: object, *, queues: Sequence[object] = (), lifetime: timedelta | None = None
) -> NewToken:
    """Return a token to make.

    Raises:
        InvalidInput: A value is not allowed.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not name.strip():
        raise InvalidInput("name", name, "1 to 127 characters", code="format")
    if role not in TOKEN_ROLES:
        raise InvalidInput("role", role, f"one of {', '.join(TOKEN_ROLES)}", code="unknown")
    if len(queues) > MOST_QUEUES:
        raise InvalidInput("queues", len(queues), f"at most {MOST_QUEUES} patterns", code="length")
    if lifetime is not None and not timedelta(seconds=1) <= lifetime <= LONGEST_LIFE:
        raise InvalidInput("lifetime", lifetime, f"from one second to {LONGEST_LIFE.days} days")
    patterns = tuple(_pattern(each, f"queues.{position}") for position, each in enumerate(queues))
    return NewToken(name, Role(str(role)), patterns, lifetime)


def make_secret() -> tuple[str, str]:
    """Return the id and the whole text of a new token."""
    token_id = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    return token_id, f"rr_{token_id}_{secrets.token_urlsafe(32)}"


def digest(token: str) -> bytes:
    """Return what is kept of a token; a header may hold any bytes."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def within(queue: str, patterns: Sequence[str]) -> bool:
    """Whether a queue is one of those that ``patterns`` name; no pattern names every one."""
    return not patterns or any(fnmatchcase(queue, pattern) for pattern in patterns)


def _pattern(value: object, field: str) -> str:
    if not isinstance(value, str) or not _GLOB.fullmatch(value):
        allowed = "the name of a queue, in which * stands for any characters and ? for one"
        raise InvalidInput(field, value, allowed, code="format")
    return value
