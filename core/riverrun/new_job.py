"""A job that is about to be enqueued: the one place where what a producer asks for is checked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from pydantic import BaseModel

from riverrun.errors import InvalidInput
from riverrun.json_input import check_args
from riverrun.members import check_own_metadata
from riverrun.moments import check_moment
from riverrun.names import check_flag, check_kind, check_max_attempts, check_priority, check_queue, check_tags
from riverrun.unique import Unique, check_unique, unique_key, unique_states_mask

TIMEOUT_KEY = "riverrun:timeout_seconds"
"""Metadata key of a job's own time limit; it wins over the handler's."""

_LONGEST_TIMEOUT = timedelta(days=30)
_LONGEST_DELAY = timedelta(days=36_500)


class NewJob(NamedTuple):
    """A checked job; its fields are the columns of ``river_job``, with ``delay`` counted by the database's clock."""

    kind: str
    args_text: str
    queue: str
    priority: int
    max_attempts: int
    scheduled_at: datetime | None
    delay: timedelta | None
    pending: bool
    tags: tuple[str, ...]
    metadata_text: str
    unique_key: bytes | None
    unique_states: str | None


def new_job(  # noqa: PLR0913 - one argument for each thing a producer may say about a job
    kind: object,
    args: object,
    *,
    queue: object = "default",
    priority: object = 1,
    max_attempts: object = 25,
    scheduled_at: object = None,
    delay: object = None,
    timeout: object = None,
    tags: object = (),
    metadata: object = None,
    unique: object = None,
    pending: object = False,
) -> NewJob:
    """Check everything about a job and return it, ready to be enqueued.

    Args:
        kind: Picks the handler.
        args: JSON text of an object, which is stored as it is; or a mapping, a dataclass or a pydantic model.
        queue: Queue name.
        priority: 1 (first) to 9.
        max_attempts: 1 to 32,767.
        scheduled_at: Run at this time, which must have a zone; not together with ``delay``.
        delay: Run after this ``timedelta`` or number of seconds.
        timeout: Time limit of each attempt, as a ``timedelta`` or number of seconds.
        tags: Words to find the job by.
        metadata: A mapping; keys that begin with ``river:`` and ``riverrun:`` are reserved.
        unique: When not to enqueue because such a job is already there.
        pending: Wait until somebody makes the job available by hand.

    Raises:
        InvalidInput: Something is not allowed; names the field.
    """
    kind = check_kind(kind, "kind")
    queue = check_queue(queue, "queue")
    args_text = _args_text(args)
    due, wait = _due(scheduled_at, delay)
    reserved = {} if timeout is None else {TIMEOUT_KEY: _timeout(timeout).total_seconds()}
    key, mask = _uniqueness(
        check_unique(unique, "unique"), kind, args_text, queue, due or datetime.now(UTC) + (wait or timedelta())
    )
    return NewJob(
        kind=kind,
        args_text=args_text,
        queue=queue,
        priority=check_priority(priority, "priority"),
        max_attempts=check_max_attempts(max_attempts, "max_attempts"),
        scheduled_at=due,
        delay=wait,
        pending=check_flag(pending, "pending"),
        tags=check_tags(tags, "tags"),
        metadata_text=_metadata(metadata, reserved),
        unique_key=key,
        unique_states=mask,
    )


def _uniqueness(
    unique: Unique | None, kind: str, args_text: str, queue: str, moment: datetime
) -> tuple[bytes | None, str | None]:
    """Return the key and the mask of states of a job that is due at ``moment``; neither when nothing was asked for."""
    if not unique:
        return None, None
    key = unique_key(unique, kind=kind, args_text=args_text, queue=queue, scheduled_at=moment)
    return key, unique_states_mask(unique)


def _args_text(args: object) -> str:
    """Return arguments in any of the forms that a producer may give as the JSON text to store."""
    if type(args) is dict:
        return check_args(args, "args")
    if isinstance(args, BaseModel):
        args = args.model_dump(mode="json")
    elif dataclasses.is_dataclass(args) and not isinstance(args, type):
        args = dataclasses.asdict(args)
    return check_args(args, "args")


def _due(scheduled_at: object, delay: object) -> tuple[datetime | None, timedelta | None]:
    if scheduled_at is not None and delay is not None:
        raise InvalidInput("delay", delay, "either delay or scheduled_at, not both", code="conflict")
    if scheduled_at is not None:
        return check_moment(scheduled_at, "scheduled_at"), None
    return None, None if delay is None else _span("delay", delay, longest=_LONGEST_DELAY)


def _timeout(value: object) -> timedelta:
    span = _span("timeout", value, longest=_LONGEST_TIMEOUT)
    if span < timedelta(milliseconds=100):
        raise InvalidInput("timeout", value, "at least 0.1 seconds")
    return span


def _span(field: str, value: object, *, longest: timedelta) -> timedelta:
    allowed = f"a timedelta or a number of seconds from 0 to {longest.total_seconds():.0f}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value <= longest.total_seconds():
            raise InvalidInput(field, value, allowed)
        return timedelta(seconds=value)
    if not isinstance(value, timedelta):
        raise InvalidInput(field, value, allowed, code="type")
    if not timedelta() <= value <= longest:
        raise InvalidInput(field, value, allowed)
    return value


def _metadata(metadata: object, reserved: Mapping[str, Any]) -> str:
    if metadata is None:
        return json.dumps(reserved) if reserved else "{}"
    text = check_own_metadata(metadata, "metadata")
    return json.dumps({**json.loads(text), **reserved}, ensure_ascii=False) if reserved else text
