"""What a producer says about a job: the same words for one job and for many, in Python's sync and async clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Required, TypeAlias, TypedDict

from pydantic import BaseModel

from riverrun.errors import InvalidInput
from riverrun.new_job import NewJob, new_job
from riverrun.unique import Unique

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Args: TypeAlias = "Mapping[str, object] | DataclassInstance | BaseModel | str | bytes"
"""A job's arguments: a mapping, a dataclass, a pydantic model, or the JSON text of an object, stored as it is."""


class EnqueueOptions(TypedDict, total=False):
    """What may be said about a job besides its kind and its arguments.

    Attributes:
        queue: Queue name; ``default`` without one.
        priority: 1 (first) to 9; 1 without one.
        scheduled_at: Run at this time, which must have a zone; not together with ``delay``.
        delay: Run after this ``timedelta`` or number of seconds, counted by the clock of the database.
        max_attempts: 1 to 32,767; without one that of the client.
        timeout: Time limit of each attempt, as a ``timedelta`` or number of seconds; it wins over the handler's.
        tags: Words of 3 to 255 letters, digits, ``_`` and ``-`` to find the job by.
        metadata: A mapping of JSON values; keys that begin with ``river:`` and ``riverrun:`` are reserved.
        unique: When not to enqueue because such a job is already there.
        pending: Wait until somebody makes the job available by hand.
    """

    queue: str
    priority: int
    scheduled_at: datetime | None
    delay: timedelta | float | None
    max_attempts: int
    timeout: timedelta | float | None
    tags: Sequence[str]
    metadata: Mapping[str, object] | None
    unique: Unique | None
    pending: bool


class JobSpec(EnqueueOptions, total=False):
    """One of many jobs: a mapping with ``kind``, ``args`` and any of the options."""

    kind: Required[str]
    args: Required[Args]


EnqueueHook: TypeAlias = Callable[[JobSpec], object]
"""A plain function that is shown each job before it is checked, and may change it; what it raises stops the enqueue."""

_WORDS = frozenset(JobSpec.__annotations__)


def checked_job(job: JobSpec | NewJob, *, max_attempts: int, field: str) -> NewJob:
    """Return ``job``, checked unless it already is.

    Args:
        job: What the producer gave.
        max_attempts: For a job that says none.
        field: Path of the job in its sender's input, such as ``jobs.3``; it begins the field of every refusal.

    Raises:
        InvalidInput: Something is not allowed, missing or unknown.
    """
    if isinstance(job, NewJob):
        return job
    if type(job) is not dict and not isinstance(job, Mapping):
        raise InvalidInput(field, type(job).__name__, "a mapping with kind and args", code="type")
    try:
        return new_job(**{"max_attempts": max_attempts, **known_words(job)})
    except InvalidInput as refusal:
        refusal.rename(f"{field}.{refusal.field}")
        raise


def known_words(job: Mapping[str, object]) -> Mapping[str, object]:
    """Return ``job``, in which every word is known and none is missing.

    Raises:
        InvalidInput: It is not so.
    """
    if not _WORDS.issuperset(job):
        word = next(word for word in job if word not in _WORDS)
        raise InvalidInput(str(word), word, f"one of {', '.join(sorted(_WORDS))}", code="unknown")
    for word in ("kind", "args"):
        if word not in job:
            raise InvalidInput(word, None, "a value; every job has kind and args", code="required")
    return job
