"""Read an HTTP service's answer as the outcome of an attempt; the first rule that fits decides.

1. What the service says itself, whatever its status: a ``Job-Outcome`` header, ``Job-No-Retry: true``, or a body of
   type ``application/job-result+json``.
2. 202 with ``Job-Async: <seconds>`` leaves the end of the job to a callback.
3. 2xx completes; a JSON body is the job's output.
4. ``Retry-After`` retries, no sooner than it says and no sooner than the retry policy says. When the handler says
   ``throttle=snooze``, 429 snoozes instead, up to `MAX_SNOOZES` times.
5. 400, 410, 413, 415 and 422 discard, because the same request can never succeed; when the handler says
   ``client_errors=retry``, only 410 does.
6. 499 cancels.
7. Everything else is retried, redirects included, which are never followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from riverrun.calls import NO_SETTINGS, CallSettings
from riverrun.job import decode_json
from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Outcome, Snoozed
from riverrun.retry import MAX_DELAY
from riverrun.sanitize import clean_json

RESULT_TYPE = "application/job-result+json"
MAX_RETRY_AFTER = timedelta(hours=24)
SNOOZE_WITHOUT_TIME = timedelta(minutes=1)
"""How long a service that names no time snoozes: at once would call it again for ever without a pause."""

MAX_OUTPUT_BYTES = 64 * 1024
"""The largest plain JSON body that is kept as the job's output."""

MAX_EXCERPT_BYTES = 2_000

MAX_SNOOZES = 1000
"""How often a throttled job is snoozed before its attempts count again."""

SHORTEST_LEASE, LONGEST_LEASE = 1.0, 86_400.0

GONE = 410
_HOPELESS = frozenset({400, GONE, 413, 415, 422})
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

    @property
    def is_json(self) -> bool:
        """True when the content type is JSON or built on it; a stream of JSON lines is not."""
        return self.media_type.endswith(("/json", "+json"))

    def word(self, name: str) -> str:
        """Return a header field that holds one word, in lower case; empty when it is missing."""
        return self.headers.get(name, "").strip().lower()

    def json(self) -> Any:
        """Return the body as JSON with every digit of its integers; ``None`` when it is none."""
        try:
            return decode_json(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Reading:
    """An outcome and what is recorded with it.

    Attributes:
        outcome: How the attempt ended; a retry without a time is left to the policy.
        output: What the service gave as the job's output; ``None`` when it gave none.
        lease: The service works on, and will call back; it must be heard of again within so many seconds. The outcome
            is what its silence means then.
        beside: What a result document says beside the outcome, as it stands there: ``metadata``, ``logs``.
    """

    outcome: Outcome
    output: object = None
    lease: float | None = None
    beside: Mapping[str, Any] = field(default_factory=dict)


class NotUnderstood(Exception):
    """The service says something about the outcome that is not in the contract."""


@dataclass(frozen=True, slots=True)
class FailureTerms:
    """What the handler and the job say about failures.

    Attributes:
        delay: The delay that the retry policy asks for; ``Retry-After`` can only lengthen it.
        snoozes: How often the job was snoozed.
        settings: Of the handler.
    """

    delay: timedelta
    snoozes: int = 0
    settings: CallSettings = NO_SETTINGS


def read(answer: Answer, *, now: datetime, policy: FailureTerms) -> Reading:
    """Return the outcome that ``answer`` stands for.

    Args:
        answer: The answer.
        now: Turns the date of a ``Retry-After`` into a delay.
        policy: What the handler and the job say about failures.
    """
    try:
        said, result = _said(answer)
        reading = _as_said(said, result, answer, now) if said else _by_status(result, answer, now, policy)
        return replace(reading, beside=_beside(result)) if result else reading
    except NotUnderstood as error:
        return Reading(Failed(error=f"HTTP {answer.status}: {error}", error_type="protocol"))


def _said(answer: Answer) -> tuple[str, Mapping[str, Any]]:
    """Return the outcome that the service names, empty if it names none, and its result document."""
    said = answer.word("Job-Outcome") or ("discard" if answer.word("Job-No-Retry") == "true" else "")
    if answer.media_type != RESULT_TYPE:
        return said, {}
    result = answer.json()
    if not isinstance(result, dict):
        if said:
            return said, {}
        raise NotUnderstood(f"the body of type {RESULT_TYPE} is not a JSON object")
    named = result.get("outcome", "")
    return said or (named.strip().lower() if isinstance(named, str) else _shown(named)), result


def _as_said(said: str, result: Mapping[str, Any], answer: Answer, now: datetime) -> Reading:
    error, trace = _error(result, answer)
    match said:
        case "complete":
            return Reading(Completed(), _output(result, answer))
        case "snooze":
            delay = _delay(result, answer, now)
            return Reading(Snoozed(SNOOZE_WITHOUT_TIME if delay is None else delay))
        case "retry":
            return Reading(Failed(error, trace, retry_in=_delay(result, answer, now), error_type=said))
        case "discard":
            return Reading(Discarded(error, trace, error_type=said))
        case "cancel":
            return Reading(Cancelled(error, trace, error_type=said))
        case _:
            allowed = "complete, retry, snooze, discard or cancel"
            raise NotUnderstood(f"the outcome {said[:80]!r} is none of {allowed}")


def _by_status(result: Mapping[str, Any], answer: Answer, now: datetime, policy: FailureTerms) -> Reading:
    if answer.status == 202 and "Job-Async" in answer.headers:
        return _by_callback(answer)
    if 200 <= answer.status < 300:
        return Reading(Completed(), _output(result, answer))
    return Reading(_failure(result, answer, retry_after(answer, now), policy))


def _failure(result: Mapping[str, Any], answer: Answer, wait: timedelta | None, policy: FailureTerms) -> Outcome:
    error, trace = _error(result, answer)
    error_type = f"http_{answer.status // 100}xx"
    if answer.status == 429 and policy.settings.throttle == "snooze" and policy.snoozes < MAX_SNOOZES:
        return Snoozed(SNOOZE_WITHOUT_TIME if wait is None else wait)
    if wait is not None:
        return Failed(error, trace, retry_in=max(wait, policy.delay), error_type=error_type)
    if answer.status in _HOPELESS and (answer.status == GONE or policy.settings.client_errors == "discard"):
        return Discarded(error, trace, error_type=error_type)
    if answer.status == _CLIENT_CLOSED:
        return Cancelled(error, trace, error_type=error_type)
    return Failed(error, trace, error_type=error_type)


def _by_callback(answer: Answer) -> Reading:
    text = answer.headers.get("Job-Async", "").strip()
    allowed = f"a number of seconds from {SHORTEST_LEASE:.0f} to {LONGEST_LEASE:.0f}"
    try:
        lease = float(text)
    except ValueError:
        raise NotUnderstood(f"Job-Async is {text[:80]!r} instead of {allowed}") from None
    if not SHORTEST_LEASE <= lease <= LONGEST_LEASE:
        raise NotUnderstood(f"Job-Async is {text[:80]!r} instead of {allowed}")
    silent = Failed(f"the service was not heard of for {lease:g} s", error_type="lease_expired")
    return Reading(silent, lease=lease)


def _output(result: Mapping[str, Any], answer: Answer) -> object:
    """Return what a successful answer leaves as the job's output: its result's, or its JSON body."""
    if not answer.is_json or answer.media_type == RESULT_TYPE:
        return result.get("output")
    if len(answer.body) > MAX_OUTPUT_BYTES:
        return {"riverrun:omitted": f"larger than {MAX_OUTPUT_BYTES} bytes"}
    return answer.json()


def _beside(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a result document says beside outcome, output and error."""
    return {name: result[name] for name in ("metadata", "logs") if name in result}


def _error(result: Mapping[str, Any], answer: Answer) -> tuple[str, str]:
    """Return message and trace of an answer that is not a success."""
    given = result.get("error")
    error = given if isinstance(given, Mapping) else {"message": given}
    parts = [_shown(error.get(name)) for name in ("type", "message")]
    message = ": ".join(part for part in parts if part)
    if not message:
        # A result document says all it has to say; any other body may explain the status.
        body = b"" if answer.media_type == RESULT_TYPE else answer.body
        excerpt = body[:MAX_EXCERPT_BYTES].decode("utf-8", "replace").strip()
        message = f"HTTP {answer.status}: {excerpt}" if excerpt else f"HTTP {answer.status}"
    return message, _shown(error.get("trace"))


def _shown(value: object) -> str:
    """Return a value of any JSON type as text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else clean_json(value)


def _delay(result: Mapping[str, Any], answer: Answer, now: datetime) -> timedelta | None:
    """Return the time that the service names, which holds as it is; ``None`` when it names none."""
    seconds = result.get("delay_s")
    if seconds is None:
        return retry_after(answer, now)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        raise NotUnderstood(f"delay_s is {_shown(seconds)[:80]!r} instead of a number of seconds from 0")
    return timedelta(seconds=min(seconds, MAX_DELAY.total_seconds()))


def retry_after(answer: Answer, now: datetime) -> timedelta | None:
    """Return what ``Retry-After`` asks for, seconds or a date, from 0 to 24 hours; what is neither counts as absent."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:12])), MAX_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(text)
        wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):
        return None
    return min(max(wait, timedelta()), MAX_RETRY_AFTER)
