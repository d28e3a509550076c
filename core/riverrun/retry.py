"""Says how long a failed job waits before its next attempt: River's policy, and three others a handler may choose.

Every delay lies between zero and 2^63 - 1 nanoseconds (292 years), River's own cap, so that adding it
to a time of this era never leaves what PostgreSQL and Python can represent.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias, assert_never

from riverrun.durations import LONGEST
from riverrun.errors import InvalidInput

MAX_DELAY = LONGEST
"""The longest delay: River counts in nanoseconds of 64 bits."""

_MAX_DELAY_SECONDS = MAX_DELAY.total_seconds()
_JITTER = 0.1


@dataclass(frozen=True, slots=True)
class RiverBackoff:
    """River's default: n⁴ seconds ± 10 % before the retry after the n-th error."""


@dataclass(frozen=True, slots=True)
class ExponentialBackoff:
    """``base`` after the first error, doubled after each further one up to ``cap``, then ± 10 %.

    Raises:
        InvalidInput: ``base`` is not above zero, or ``cap`` is below ``base``.
    """

    base: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        if not timedelta(0) < self.base <= MAX_DELAY:
            raise InvalidInput("base", self.base, "a time above zero and below 292 years")
        if not self.base <= self.cap <= MAX_DELAY:
            raise InvalidInput("cap", self.cap, "a time not below base and below 292 years")


@dataclass(frozen=True, slots=True)
class FixedBackoff:
    """The same ``delay`` after every error, without jitter.

    Raises:
        InvalidInput: ``delay`` is negative or longer than 292 years.
    """

    delay: timedelta

    def __post_init__(self) -> None:
        _check_delay(self.delay, "delay")


@dataclass(frozen=True, slots=True)
class ListedBackoff:
    """The n-th of ``delays`` after the n-th error, the last one from then on, without jitter.

    Raises:
        InvalidInput: ``delays`` is empty, or one of them is negative or longer than 292 years.
    """

    delays: Sequence[timedelta]

    def __post_init__(self) -> None:
        object.__setattr__(self, "delays", tuple(self.delays))
        if not self.delays:
            raise InvalidInput("delays", self.delays, "at least one time", code="length")
        for position, delay in enumerate(self.delays):
            _check_delay(delay, f"delays.{position}")


Backoff: TypeAlias = RiverBackoff | ExponentialBackoff | FixedBackoff | ListedBackoff

RIVER_BACKOFF = RiverBackoff()


def next_retry_delay(errors: int, rng: random.Random) -> timedelta:
    """Return the delay of River's default policy.

    Args:
        errors: How many errors the job has had *before* the present one, 0 or more. Errors count, not
            attempts: a snooze or an interruption does not lengthen the delay.
        rng: Source of the jitter.
    """
    seconds = min(float(errors + 1) ** 4, _MAX_DELAY_SECONDS)
    # At the cap River applies no jitter: there it could leave the range of its durations.
    return MAX_DELAY if seconds == _MAX_DELAY_SECONDS else _with_jitter(seconds, rng)


def retry_delay(backoff: Backoff, *, errors: int, rng: random.Random) -> timedelta:
    """Return the delay that ``backoff`` asks for; ``errors`` and ``rng`` as in `next_retry_delay`."""
    match backoff:
        case RiverBackoff():
            return next_retry_delay(errors, rng)
        case ExponentialBackoff(base=base, cap=cap):
            # As floats: a doubled timedelta would overflow long before the 32,767th error.
            doubled = base.total_seconds() * 2.0 ** min(errors, 64)
            return _with_jitter(min(doubled, cap.total_seconds()), rng)
        case FixedBackoff(delay=delay):
            return delay
        case ListedBackoff(delays=delays):
            return delays[min(errors, len(delays) - 1)]
        case _:
            assert_never(backoff)


def _with_jitter(seconds: float, rng: random.Random) -> timedelta:
    """Return ``seconds`` ± 10 %, uniform, at most `MAX_DELAY`."""
    return min(timedelta(seconds=seconds * rng.uniform(1 - _JITTER, 1 + _JITTER)), MAX_DELAY)


def _check_delay(delay: timedelta, field: str) -> None:
    """Refuse a delay that is negative or longer than River can count."""
    if not timedelta(0) <= delay <= MAX_DELAY:
        raise InvalidInput(field, delay, "a time from zero to 292 years")
