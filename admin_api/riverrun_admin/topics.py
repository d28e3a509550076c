"""What can be watched live: the overview, a queue, a job, all bulk operations or one."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.names import check_job_id, check_looked_up
from riverrun_admin.filters import refuse_unknown

MOST_TOPICS = 50
OVERVIEW = "overview"
BULK = "bulk"
OF_ALL_QUEUES = frozenset({OVERVIEW, BULK})
"""Topics that are narrowed to the queues of who watches them."""

_ALLOWED = f"1 to {MOST_TOPICS} of overview, queue:<name>, job:<id>, bulk and bulk:<id>, with commas between them"


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
    if text in OF_ALL_QUEUES:
        return text
    if kind == "queue":
        return f"queue:{check_looked_up(name, '?topics')}"
    if kind == "job":
        return f"job:{check_job_id(name, '?topics')}"
    if kind == BULK:
        return f"{BULK}:{check_job_id(name, '?topics')}"
    raise InvalidInput("?topics", text, _ALLOWED, code="unknown")


def of_queues(topic: str, queues: Sequence[str]) -> str:
    """Return a topic of all queues as it is about some of them, which their patterns name."""
    return f"{topic}@{','.join(queues)}"


def parted(topic: str) -> tuple[str, tuple[str, ...]]:
    """Return what readers call a topic, and the patterns of the queues that it was narrowed to; none: not narrowed."""
    name, _, queues = topic.partition("@")
    return (name, tuple(filter(None, queues.split(",")))) if name in OF_ALL_QUEUES else (topic, ())


def ids_of(kind: str, topics: frozenset[str]) -> list[int]:
    """Return the ids of the jobs, or of whatever ``kind`` is, among ``topics``."""
    return [int(topic.removeprefix(f"{kind}:")) for topic in topics if topic.startswith(f"{kind}:")]
