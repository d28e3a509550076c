"""Signatures by which a service knows that a request is ours, and tokens by which we know that a callback is its own.

Requests are signed as Standard Webhooks 1.0 has it: HMAC-SHA256 over ``<id>.<timestamp>.<body>``, one signature for
each valid secret. A callback token names the attempt it was made for and is an HMAC with a key that never leaves us.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

PREFIX = "whsec_"
SECRET_BYTES = 32

_TOKEN = re.compile(r"([0-9]{1,19})\.([0-9]{1,5})\.([0-9]{1,19})\.([A-Za-z0-9_-]{43})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the calls of one handler are signed with; neither is ever shown.

    Attributes:
        secrets: Valid signing secrets, the newest first; none for a handler that was never given one.
        callback_key: Makes and checks callback tokens.
    """

    secrets: tuple[str, ...]
    callback_key: str

    def __repr__(self) -> str:
        return "Credentials(…)"


class Fence(NamedTuple):
    """The attempt of a job that a callback token was made for."""

    id: int
    attempt: int
    fence_us: int


def new_secret() -> str:
    """Return a new signing secret in the form that libraries for Standard Webhooks take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(valid: Sequence[str], *, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``: a signature with each of the valid secrets."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode() for secret in valid
    )


def callback_token(key: str, fence: Fence) -> str:
    """Return the token with which a service may speak about one attempt."""
    named = ".".join(map(str, fence))
    digest = hmac.digest(key.encode(), f"callback.{named}".encode(), hashlib.sha256)
    return f"{named}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def token_fence(token: str) -> Fence | None:
    """Return the attempt that a token claims to be for, whether it is genuine or not; None when it is no token."""
    found = _TOKEN.fullmatch(token)
    return Fence(*(int(part) for part in found.groups()[:3])) if found else None


def is_genuine(key: str, token: str) -> bool:
    """Return whether ``token`` was made with ``key``."""
    fence = token_fence(token)
    return fence is not None and hmac.compare_digest(callback_token(key, fence), token)


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX))
