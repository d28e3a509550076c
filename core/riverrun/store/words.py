"""The words that a filter may name: what the newest jobs are of, and are tagged with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from riverrun.database.statements import Query, Steps

LOOKED_AT = 5_000
"""No index knows kinds or tags: so many of the newest jobs are looked at."""

MOST = 200


@dataclass(frozen=True, slots=True)
class Words:
    """Kinds and tags in their order, at most 200 of each."""

    kinds: tuple[str, ...]
    tags: tuple[str, ...]


def known(*, queues: Sequence[str] | None = None) -> Steps[Words]:
    """Return the kinds and tags of the newest jobs; with ``queues`` of those among them that are in these."""
    named = None if queues is None else list(queues)
    rows = yield Query("job_known_words", {"newest": LOOKED_AT, "queues": named, "most": MOST})
    return Words(tuple(rows[0][0]), tuple(rows[0][1]))
