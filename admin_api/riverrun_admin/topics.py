"""What can be watched live: the overview, a queue, a job, a bulk operation."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.names import check_any_queue, check_job_id
from riverrun_admin.filters import refuse_unknown

MOST_TOPICS = 50
OVERVIEW = "overview"
_ALLOWED = f"1 to {MOST_TOPICS} of overview, queue:<name>, job:<id> and bulk:<id>, with commas between them"


def topics_wanted(request: web.Request) -> frozenset[str]:
    """Return the topics that ``?topics=`` names.

    Raises:
        InvalidInput: One of them is not known, or there are too many.
    """
    refuse_unknown(request, frozenset({"topics", "lenient"}))
    named = list(dict.fromkeys(request.query.get("topics", OVERVIEW).split(",")))
    if len(named) > MOST_TOPICS:
        raise InvalidInput("?topics", len(named), _ALLOWED, code="length")
    return frozenset(_topic(name) for name in named)


def _topic(text: str) -> str:
    kind, _, name = text.partition(":")
    if text == OVERVIEW:
        return text
    if kind == "queue":
        return f"queue:{check_any_queue(name, '?topics')}"
    if kind == "job":
        return f"job:{check_job_id(name, '?topics')}"
    if kind == "bulk":
        return f"bulk:{check_job_id(name, '?topics')}"
    raise InvalidInput("?topics", text, _ALLOWED, code="unknown")


def overview_of(queues: Sequence[str]) -> str:
    """Return the topic of the overview of some queues, which their patterns name."""
    return f"{OVERVIEW}:{','.join(queues)}"


def queues_of(topic: str) -> tuple[str, ...]:
    """Return the patterns of the queues that the overview ``topic`` is about; none: all of them."""
    return tuple(filter(None, topic.removeprefix(OVERVIEW).removeprefix(":").split(",")))


def ids_of(kind: str, topics: frozenset[str]) -> list[int]:
    """Return the ids of the jobs, or of whatever ``kind`` is, among ``topics``."""
    return [int(topic.removeprefix(f"{kind}:")) for topic in topics if topic.startswith(f"{kind}:")]
