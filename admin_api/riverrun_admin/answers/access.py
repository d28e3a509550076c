"""Tokens and the audit log as the API answers with them."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from riverrun_admin.answers.parts import Moment


class Token(TypedDict):
    """A token; its text is told once, by the request that makes it."""

    token_id: str
    name: str
    role: str
    queues: Sequence[str]
    parent: str | None
    created_by: str
    created_at: Moment | None
    expires_at: Moment | None
    last_used_at: Moment | None
    revoked_at: Moment | None


class NewToken(Token):
    """A token and its text."""

    token: str


class Entry(TypedDict):
    """A recorded change, with more members as its kind has them; ``hash`` is made of ``text`` and the hash before."""

    number: int
    at: Moment
    actor: str
    action: str
    target: str
    text: str
    hash: str


class Verdict(TypedDict):
    """Whether the audit log is as it was written, and where it is not."""

    intact: bool
    entries: int
    broken_at: int | None
    reason: str | None
