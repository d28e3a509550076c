"""Read an HTTP service's answer as the outcome of an attempt; the first rule that fits decides.

What the service says itself (a ``Job-Outcome`` header, ``Job-No-Retry``, or a body of type
``application/job-result+json``) wins over its status. Then: 2xx completes; ``Retry-After`` retries no sooner than it
says; 400, 413, 415, 422 and 410 discard, because the same request can never succeed; 499 cancels; everything else is
retried, redirects included, which are never followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Outcome, Snoozed

RESULT_TYPE = "application/job-result+json"
MAX_RETRY_AFTER = timedelta(hours=24)
MAX_ERROR_CHARACTERS = 2_000

_HOPELESS = frozenset({400, 410, 413, 415, 422})
_CLIENT_CLOSED = 499


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from the service.

    Attributes:
        status: The HTTP status.
        headers: Header fields; looked up without regard to case.
        body: The whole body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """Return the body as JSON; ``None`` when it is none."""
        try:
            return orjson.loads(self.body) if self.body else None
        except orjson.JSONDecodeError:
            return None


@dataclass(frozen=True, slots=True)
class Reading:
    """An outcome and what is recorded with it.

    Attributes:
        outcome: How the attempt ended; a retry has no time yet unless the service named one.
        output: What the service gave as the job's output; ``None`` when it gave none.
    """

    outcome: Outcome
    output: object = None


def read(answer: Answer, now: datetime) -> Reading:
    """Return the outcome that ``answer`` stands for; ``now`` turns the date of a ``Retry-After`` into a delay."""
    result = answer.json() if answer.media_type == RESULT_TYPE else None
    if answer.media_type == RESULT_TYPE and not isinstance(result, dict):
        return Reading(Failed(error=f"the body of type {RESULT_TYPE} is not a JSON object", error_type="protocol"))
    said = (result or {}).get("outcome") or answer.headers.get("Job-Outcome", "").strip().lower()
    if not said and answer.headers.get("Job-No-Retry", "").strip().lower() == "true":
        said = "discard"
    if said:
        return _as_said(str(said), result or {}, answer, now)
    return _by_status(answer, now)


def _as_said(said: str, result: Mapping[str, Any], answer: Answer, now: datetime) -> Reading:
    error, error_type, trace = _error(result, answer)
    delay = _delay(result, answer, now)
    match said:
        case "complete":
            return Reading(Completed(), result.get("output", _output(answer)))
        case "snooze":
            return Reading(Snoozed(delay or timedelta()))
        case "discard":
            return Reading(Discarded(error=error, trace=trace, error_type=error_type))
        case "cancel":
            return Reading(Cancelled(error))
        case "retry":
            return Reading(Failed(error=error, trace=trace, error_type=error_type, retry_in=delay))
        case _:
            text = f"the service answered with an unknown outcome: {said[:80]!r}"
            return Reading(Failed(error=text, error_type="protocol"))


def _by_status(answer: Answer, now: datetime) -> Reading:
    error, error_type, _ = _error({}, answer)
    if answer.status == 202 and "Job-Async" in answer.headers:
        text = "the service wants to finish the job later (Job-Async); this release waits for the answer"
        return Reading(Failed(error=text, error_type="protocol"))
    if 200 <= answer.status < 300:
        return Reading(Completed(), _output(answer))
    if answer.status in _HOPELESS:
        return Reading(Discarded(error=error, error_type=error_type))
    if answer.status == _CLIENT_CLOSED:
        return Reading(Cancelled(error))
    return Reading(Failed(error=error, error_type=error_type, retry_in=_retry_after(answer, now)))


def _output(answer: Answer) -> object:
    """Return what a successful answer leaves as the job's output: its JSON body."""
    return answer.json() if answer.media_type.endswith("json") and answer.media_type != RESULT_TYPE else None


def _error(result: Mapping[str, Any], answer: Answer) -> tuple[str, str, str]:
    """Return message, error type and trace of an answer that is not a success."""
    error_type = f"http_{answer.status // 100}xx"
    error = result.get("error")
    if isinstance(error, Mapping):
        return str(error.get("message", "")), error_type, str(error.get("trace", ""))
    excerpt = answer.body[:MAX_ERROR_CHARACTERS].decode("utf-8", "replace").strip()
    return f"HTTP {answer.status}: {excerpt}" if excerpt else f"HTTP {answer.status}", error_type, ""


def _delay(result: Mapping[str, Any], answer: Answer, now: datetime) -> timedelta | None:
    seconds = result.get("delay_s")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool):
        return _clamped(seconds)
    return _retry_after(answer, now)


def _retry_after(answer: Answer, now: datetime) -> timedelta | None:
    """Return what ``Retry-After`` asks for, seconds or a date, from 0 to 24 hours."""
    text = answer.headers.get("Retry-After", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return _clamped(float(text[:12]))
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return _clamped((date - now).total_seconds())


def _clamped(seconds: float) -> timedelta:
    return timedelta(seconds=min(max(seconds, 0.0), MAX_RETRY_AFTER.total_seconds()))
