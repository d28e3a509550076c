"""Answer a repeated request with the answer that its first sending got, in the transaction that did the work.

    locked = yield from idempotency.lock(token, key)      False: another request with the key is at work
    answer = yield from idempotency.answer(token, key)    the first answer, if there is one
    ...                                                   otherwise the work
    yield from idempotency.keep(token, key, answer)

A crash anywhere before the commit leaves neither the work nor the answer, so that the repetition does the work.
"""

from __future__ import annotations

from dataclasses import dataclass

from riverrun.database.statements import Query, Steps

KEPT_HOURS = 24


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered; ``request_hash`` tells it from another request with the same key."""

    request_hash: bytes
    status: int
    response: str


def lock(token: str, key: str) -> Steps[bool]:
    """Keep the key to the current transaction; return False when another one has it."""
    rows = yield Query("idempotency_key_lock", {"token": token, "key": key})
    return bool(rows[0][0])


def answer(token: str, key: str) -> Steps[Answer | None]:
    """Return the answer that was kept for the key in the last 24 hours, if any."""
    rows = yield Query("idempotency_key_get", {"token": token, "key": key, "hours": KEPT_HOURS})
    return Answer(*rows[0]) if rows else None


def keep(token: str, key: str, given: Answer) -> Steps[None]:
    """Keep the answer to the request with the key."""
    yield Query(
        "idempotency_key_put",
        {
            "token": token,
            "key": key,
            "request_hash": given.request_hash,
            "status": given.status,
            "response": given.response,
        },
    )
