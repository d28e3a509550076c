"""Says how long a failed job waits before its next attempt: River's policy, or another that its handler chose.

Every delay lies between zero and 2^63 - 1 nanoseconds (292 years), River's own cap, so that adding it
to a time of this era never leaves what PostgreSQL and Python can represent.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from riverrun.durations import LONGEST
from riverrun.errors import InvalidInput
from riverrun.functions import named

if TYPE_CHECKING:
    from riverrun.claimed_job import ClaimedJob

log = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True)
class OwnBackoff:
    """What a function of the user's says; River's policy where it says nothing, or a negative time, or raises.

    Attributes:
        function: Takes the job as it was claimed, gives a ``timedelta``, a number of seconds, or None.
    """

    function: Callable[[Any], timedelta | float | None]

    def asked(self, job: object) -> timedelta | None:
        """Return the delay for ``job``; ``None`` leaves it to River's policy."""
        try:
            delay = self.function(job)
            if delay is None:
                return None
            span = delay if isinstance(delay, timedelta) else timedelta(seconds=min(delay, _MAX_DELAY_SECONDS))
        except Exception:
            log.exception("retry_policy_failed", extra={"function": named(self.function)})
            return None
        return span if timedelta(0) <= span <= MAX_DELAY else None


RetryPolicy: TypeAlias = RiverBackoff | ExponentialBackoff | FixedBackoff | ListedBackoff | OwnBackoff

RIVER_BACKOFF = RiverBackoff()

RetryOption: TypeAlias = (
    "RetryPolicy | timedelta | float | Sequence[timedelta | float] | Callable[[ClaimedJob], timedelta | float | None]"
)
"""What a handler may say about its retries: a policy, one delay, a list of delays, or a function of the job."""


def backoff_of(policy: RetryOption, field: str) -> RetryPolicy:
    """Return the policy that is meant; numbers are seconds.

    Raises:
        InvalidInput: It is none, or has a delay that is negative or longer than 292 years.
    """
    match policy:
        case RiverBackoff() | ExponentialBackoff() | FixedBackoff() | ListedBackoff() | OwnBackoff():
            return policy
        case timedelta() | int() | float() if not isinstance(policy, bool):
            return FixedBackoff(_span(policy, field))
        case Sequence() if not isinstance(policy, str | bytes):
            return ListedBackoff([_span(delay, f"{field}.{position}") for position, delay in enumerate(policy)])
        case _ if callable(policy):
            return OwnBackoff(policy)
        case _:
            allowed = "a policy of riverrun.retry, seconds, a list of them, or a function of the job"
            raise InvalidInput(field, policy, allowed, code="type")


def _span(delay: object, field: str) -> timedelta:
    if isinstance(delay, timedelta):
        return delay
    if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay <= _MAX_DELAY_SECONDS:
        raise InvalidInput(field, delay, "a timedelta or a number of seconds from zero to 292 years")
    return timedelta(seconds=delay)


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


def retry_delay(backoff: RetryPolicy, *, errors: int, rng: random.Random, job: object = None) -> timedelta:
    """Return the delay that ``backoff`` asks for.

    Args:
        backoff: The policy.
        errors: As in `next_retry_delay`, and so is ``rng``.
        rng: Likewise.
        job: The job as it was claimed, for a policy that wants to see it.
    """
    match backoff:
        case RiverBackoff():
            return next_retry_delay(errors, rng)
        case ExponentialBackoff(base=base, cap=cap):
            # As floats: a doubled timedelta would overflow long before the 32,767th error.
            doubled = base.total_seconds() * 2.0 ** min(errors, 64)
            return _with_jitter(min(doubled, cap.total_seconds()), rng)
        case FixedBackoff(delay=delay):
            return delay
        case OwnBackoff():
            asked = backoff.asked(job)
            return next_retry_delay(errors, rng) if asked is None else asked
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
