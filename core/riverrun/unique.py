"""Computes River's unique keys, so that jobs enqueued here and by River's clients recognise each other.

A key is the SHA-256 of ``&kind=…&args=…&period=…&queue=…``, each part only when it is asked for. The
states in which a job holds its key are no part of it: they are a mask beside it in the same row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from riverrun.durations import LONGEST
from riverrun.errors import InvalidInput
from riverrun.go_json import MISSING, Members, Missing, Value, parse, write, write_key
from riverrun.names import check_flag

_YEAR_ONE = datetime(1, 1, 1, tzinfo=UTC)
_SHORTEST_PERIOD = timedelta(seconds=1)

# The leftmost bit first, as PostgreSQL writes a bit string.
_MASK_ORDER = ("scheduled", "running", "retryable", "pending", "discarded", "completed", "cancelled", "available")
_REQUIRED_STATES = ("available", "pending", "running", "scheduled")
_DEFAULT_STATES = (*_REQUIRED_STATES, "retryable", "completed")


@dataclass(frozen=True, slots=True)
class Unique:
    """What makes two jobs the same; with every field at its default, nothing does.

    Attributes:
        by_args: True for all arguments, or dotted paths of those that count, such as ``user.id``.
        by_period: Only jobs due within the same period are the same; 1 second or more. Periods are counted
            from 0001-01-01 UTC, so a period of 7 days begins on Mondays.
        by_queue: Jobs in different queues differ.
        by_state: States in which a job holds its key; None for all but cancelled and discarded.
        exclude_kind: Jobs of different kinds may be the same.

    Raises:
        InvalidInput: A field has a value that River would refuse; it is named as ``unique.<field>``.
    """

    by_args: bool | Sequence[str] = False
    by_period: timedelta | None = None
    by_queue: bool = False
    by_state: Sequence[str] | None = None
    exclude_kind: bool = False

    def __post_init__(self) -> None:
        for name in ("by_queue", "exclude_kind"):
            check_flag(getattr(self, name), f"unique.{name}")
        if not isinstance(self.by_args, bool):
            object.__setattr__(self, "by_args", _checked_paths(self.by_args))
        if self.by_period is not None:
            _check_period(self.by_period)
        if self.by_state is not None:
            object.__setattr__(self, "by_state", _checked_states(self.by_state))
        if self.exclude_kind and not (self.by_args or self.by_period or self.by_queue):
            raise InvalidInput("unique.exclude_kind", True, "by_args, by_period or by_queue beside it")

    def document(self) -> dict[str, object]:
        """Return what was asked for as the API writes it; `unique_from` reads it back."""
        period = None if self.by_period is None else self.by_period.total_seconds()
        fields = {"by_args": self.by_args, "by_period_s": period, "by_queue": self.by_queue, "by_state": self.by_state}
        return {name: value for name, value in {**fields, "exclude_kind": self.exclude_kind}.items() if value}

    def __bool__(self) -> bool:
        """Return whether anything was asked for; if not, the job has neither key nor mask."""
        return bool(self.by_args or self.by_period or self.by_queue or self.by_state)


def check_unique(value: object, field: str) -> Unique | None:
    """Return ``value`` as what makes two jobs the same; None when nothing does."""
    if value is not None and not isinstance(value, Unique):
        raise InvalidInput(field, value, "riverrun.Unique(...) or None", code="type")
    return value or None


def unique_from(document: Mapping[str, Any]) -> Unique:
    """Return what `Unique.document` wrote."""
    options = dict(document)
    seconds = options.pop("by_period_s", None)
    return Unique(by_period=None if seconds is None else timedelta(seconds=seconds), **options)


def unique_key(unique: Unique, *, kind: str, args_text: str, queue: str, scheduled_at: datetime) -> bytes | None:
    """Return the 32 bytes of ``river_job.unique_key``, or None when ``unique`` asks for nothing.

    Args:
        unique: What makes two jobs the same.
        kind: The job's kind.
        args_text: The job's arguments as the JSON text that is stored; it has passed `json_input.check_args_text`.
        queue: The job's queue.
        scheduled_at: When the job is due, with a zone; for a job that is due at once, the time of enqueuing.

    Raises:
        InvalidInput: ``args_text`` is not a JSON object, or ``scheduled_at`` has no zone.
    """
    if not unique:
        return None
    parts = [] if unique.exclude_kind else [f"&kind={kind}"]
    if unique.by_args:
        parts.append(f"&args={_hashed_args(unique.by_args, args_text)}")
    if unique.by_period:
        parts.append(f"&period={_period_start(scheduled_at, unique.by_period)}")
    if unique.by_queue:
        parts.append(f"&queue={queue}")
    return hashlib.sha256("".join(parts).encode()).digest()


def unique_states_mask(unique: Unique) -> str | None:
    """Return ``river_job.unique_states`` as eight binary digits for ``bit(8)``, or None beside a missing key."""
    if not unique:
        return None
    states = _DEFAULT_STATES if unique.by_state is None else unique.by_state
    return "".join("1" if state in states else "0" for state in _MASK_ORDER)


def _hashed_args(by_args: bool | Sequence[str], args_text: str) -> str:
    """Return the arguments as River writes them before it hashes."""
    args = parse(args_text, "args")
    if not isinstance(args, Members):
        raise InvalidInput("args", type(args).__name__, "a JSON object", code="type")
    if isinstance(by_args, bool):
        first_wins = dict(reversed(args))
        return _write_object((name, write(first_wins[name])) for name in sorted(first_wins))
    return _selected_args(by_args, args)


def _selected_args(paths: Sequence[str], args: Members) -> str:
    """Return an object of the selected arguments; empty text, not ``{}``, when none of them is there."""
    selected: dict[str, _Branch | str] = {}
    for path in sorted(paths):
        *parents, name = path.split(".")
        value = _at_path(args, [*parents, name])
        if isinstance(value, Missing):
            continue
        branch: _Branch | str = selected
        for parent in parents:
            # A parent that was itself selected stands there as text already, with everything in it.
            branch = branch.setdefault(parent, {}) if isinstance(branch, dict) else branch
        if isinstance(branch, dict):
            branch[name] = write(value)
    return _write_branch(selected) if selected else ""


_Branch = dict[str, "_Branch | str"]


def _write_branch(branch: _Branch) -> str:
    """Return the tree of selected arguments as text."""
    return _write_object(
        (name, part if isinstance(part, str) else _write_branch(part)) for name, part in branch.items()
    )


def _write_object(members: Iterable[tuple[str, str]]) -> str:
    """Return an object of values that are written already."""
    return "{" + ",".join(f"{write_key(name)}:{text}" for name, text in members) + "}"


def _at_path(args: Members, names: Sequence[str]) -> Value | Missing:
    """Return the value at a path of member names; arrays have none."""
    value: Value | Missing = args
    for name in names:
        value = value.first(name) if isinstance(value, Members) else MISSING
    return value


def _period_start(moment: datetime, period: timedelta) -> str:
    """Return the start of the period that ``moment`` lies in, RFC 3339 in whole seconds of UTC."""
    if moment.tzinfo is None:
        raise InvalidInput("scheduled_at", moment, "a time with a zone", code="format")
    start = _YEAR_ONE + (moment - _YEAR_ONE) // period * period
    return start.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _checked_paths(paths: object) -> tuple[str, ...]:
    """Return ``paths`` without duplicates in sorted order."""
    allowed = "true, false, or a list of dotted paths into the arguments"
    if isinstance(paths, str | bytes) or not isinstance(paths, Sequence):
        raise InvalidInput("unique.by_args", paths, allowed, code="type")
    if not paths:
        raise InvalidInput("unique.by_args", paths, allowed, code="length")
    for position, path in enumerate(paths):
        if not isinstance(path, str) or not all(path.split(".")):
            raise InvalidInput(f"unique.by_args.{position}", path, "names joined by single dots", code="format")
    return tuple(sorted(set(paths)))


def _check_period(period: object) -> None:
    """Refuse a period that River cannot count."""
    if not isinstance(period, timedelta):
        raise InvalidInput("unique.by_period", period, "a time of 1 second or more", code="type")
    if not _SHORTEST_PERIOD <= period <= LONGEST:
        raise InvalidInput("unique.by_period", period, "a time from 1 second to 292 years")


def _checked_states(states: object) -> tuple[str, ...]:
    """Return ``states`` when they are states of River and contain the four that a key cannot do without."""
    allowed = "a list of states with at least available, pending, running and scheduled"
    if isinstance(states, str | bytes) or not isinstance(states, Sequence):
        raise InvalidInput("unique.by_state", states, allowed, code="type")
    for position, state in enumerate(states):
        if state not in _MASK_ORDER:
            raise InvalidInput(f"unique.by_state.{position}", state, ", ".join(sorted(_MASK_ORDER)), code="unknown")
    if not set(_REQUIRED_STATES) <= set(states):
        raise InvalidInput("unique.by_state", list(states), allowed)
    return tuple(str(state) for state in states)
