"""What an HTTP service's answer means for the job: every row of the contract, and what hostile services send."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from riverrun.calls import CallSettings
from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Outcome, Snoozed
from riverrun_executor.handlers.http_outcome import (
    MAX_OUTPUT_BYTES,
    MAX_RETRY_AFTER,
    MAX_SNOOZES,
    RESULT_TYPE,
    SNOOZE_WITHOUT_TIME,
    Answer,
    FailureTerms,
    Reading,
    read,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DELAY = timedelta(seconds=16)
MINUTE = timedelta(minutes=1)


def reading(status: int, body: bytes = b"", **headers: str) -> Reading:
    """Read an answer; ``Job_Outcome="retry"`` stands for the header field ``Job-Outcome``."""
    fields = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return read(Answer(status, fields, body), now=NOW, policy=FailureTerms(DELAY))


def result(document: object, status: int = 200, **headers: str) -> Reading:
    """Read a result document."""
    return reading(status, json.dumps(document).encode(), Content_Type=f"{RESULT_TYPE}; charset=utf-8", **headers)


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204, 206, 226, 299])
def test_any_success_completes(status: int) -> None:
    assert reading(status) == Reading(Completed())


@pytest.mark.parametrize("status", [400, 410, 413, 415, 422])
def test_what_can_never_succeed_is_discarded(status: int) -> None:
    expected = Discarded(f"HTTP {status}: no such address", error_type="http_4xx")

    assert reading(status, b"no such address\n") == Reading(expected)


def test_a_client_that_gave_up_cancels() -> None:
    assert reading(499).outcome == Cancelled("HTTP 499", error_type="http_4xx")


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 408, 409, 418, 421, 423, 425, 428, 429, 431, 451])
def test_other_client_errors_are_retried_because_a_gateways_mistake_must_lose_no_job(status: int) -> None:
    assert reading(status).outcome == Failed(f"HTTP {status}", error_type="http_4xx")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 500, 501, 502, 503, 504, 507, 599, 999])
def test_redirects_and_server_errors_are_retried_by_policy(status: int) -> None:
    assert reading(status, Location="http://elsewhere/").outcome == Failed(
        f"HTTP {status}", error_type=f"http_{status // 100}xx"
    )


@pytest.mark.parametrize("status", [302, 400, 404, 410, 422, 429, 499, 500, 503])
def test_retry_after_wins_over_every_status_that_is_no_success(status: int) -> None:
    outcome = reading(status, Retry_After="120").outcome

    assert isinstance(outcome, Failed)
    assert outcome.retry_in == timedelta(seconds=120)


@pytest.mark.parametrize("status", [200, 204])
def test_retry_after_means_nothing_on_a_success(status: int) -> None:
    assert reading(status, Retry_After="120").outcome == Completed()


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", DELAY),
        ("1", DELAY),
        (" 17 ", timedelta(seconds=17)),
        ("86400", MAX_RETRY_AFTER),
        ("86401", MAX_RETRY_AFTER),
        ("9" * 5_000, MAX_RETRY_AFTER),
        ("Fri, 02 Jan 2026 03:06:05 GMT", 2 * MINUTE),
        ("Friday, 02-Jan-26 03:06:05 GMT", 2 * MINUTE),
        ("Fri Jan  2 03:06:05 2026", 2 * MINUTE),
        ("Fri, 02 Jan 2026 04:06:05 +0100", 2 * MINUTE),
        ("Fri, 02 Jan 2026 03:06:05 -0000", 2 * MINUTE),
        ("Thu, 01 Jan 1970 00:00:00 GMT", DELAY),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER),
    ],
)
def test_retry_after_lengthens_the_delay_of_the_policy_up_to_a_day(text: str, wait: timedelta) -> None:
    outcome = reading(503, Retry_After=text).outcome

    assert isinstance(outcome, Failed)
    assert outcome.retry_in == wait


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-5", "1.5", "1e3", "+7", "１２", "0x10", "Mon, 99 Foo 2026", "Jan +99999999999 1 00:00:00", "\0"],
)
def test_a_retry_after_that_is_no_time_counts_as_absent(text: str) -> None:
    assert reading(503, Retry_After=text).outcome == Failed("HTTP 503", error_type="http_5xx")
    assert isinstance(reading(422, Retry_After=text).outcome, Discarded)


@given(st.text(max_size=60) | st.datetimes(timezones=st.just(UTC)).map(lambda date: format_datetime(date, usegmt=True)))
def test_no_retry_after_leads_outside_its_limits(text: str) -> None:
    outcome = reading(429, Retry_After=text).outcome

    assert isinstance(outcome, Failed)
    assert outcome.retry_in is None or DELAY <= outcome.retry_in <= MAX_RETRY_AFTER


@pytest.mark.parametrize("status", [200, 302, 404, 422, 503])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("complete", Completed()),
        ("Retry", Failed("HTTP {}: no luck", error_type="retry")),
        ("SNOOZE ", Snoozed(SNOOZE_WITHOUT_TIME)),
        ("discard", Discarded("HTTP {}: no luck", error_type="discard")),
        ("cancel", Cancelled("HTTP {}: no luck", error_type="cancel")),
    ],
)
def test_what_the_service_says_wins_over_its_status(status: int, said: str, expected: Outcome) -> None:
    outcome = reading(status, b"no luck", Job_Outcome=said).outcome

    assert repr(outcome) == repr(expected).replace("{}", str(status))


@pytest.mark.parametrize("status", [200, 500])
def test_a_service_can_forbid_a_retry(status: int) -> None:
    assert reading(status, Job_No_Retry="True").outcome == Discarded(f"HTTP {status}", error_type="discard")
    assert reading(503, Job_No_Retry="false").outcome == Failed("HTTP 503", error_type="http_5xx")


@pytest.mark.parametrize("said", ["done", "complete, retry", "x" * 1000])
def test_an_outcome_that_nobody_knows_is_retried_and_named(said: str) -> None:
    outcome = reading(200, Job_Outcome=said).outcome

    assert isinstance(outcome, Failed)
    assert outcome.error_type == "protocol"
    assert outcome.error.startswith(f"HTTP 200: the outcome '{said[:80]}' is none of complete, retry, snooze")
    assert len(outcome.error) < 200


def test_the_time_of_a_said_outcome_holds_as_it_is() -> None:
    assert reading(200, Job_Outcome="snooze", Retry_After="3").outcome == Snoozed(timedelta(seconds=3))
    assert reading(503, Job_Outcome="retry", Retry_After="3").outcome == Failed(
        "HTTP 503", retry_in=timedelta(seconds=3), error_type="retry"
    )
    assert result({"outcome": "retry", "delay_s": 0.5}, Retry_After="9").outcome == Failed(
        "HTTP 200", retry_in=timedelta(seconds=0.5), error_type="retry"
    )
    assert result({"outcome": "snooze", "delay_s": 0}).outcome == Snoozed(timedelta())
    assert result({"outcome": "snooze", "delay_s": 7 * 86_400}).outcome == Snoozed(timedelta(days=7))


def test_a_result_document_says_everything_at_once() -> None:
    error = {"type": "SmtpError", "message": "mailbox full", "trace": "line 1\nline 2"}

    assert result({"outcome": "complete", "output": {"sent": 1}}, 500) == Reading(Completed(), {"sent": 1})
    assert result({"outcome": "Discard", "error": error}).outcome == Discarded(
        "SmtpError: mailbox full", "line 1\nline 2", error_type="discard"
    )
    assert result({"outcome": "cancel", "error": {"message": "not wanted"}}).outcome == Cancelled(
        "not wanted", error_type="cancel"
    )
    assert result({"outcome": "retry", "error": "no luck"}).outcome == Failed("no luck", error_type="retry")


def test_a_result_document_without_an_outcome_leaves_it_to_the_status() -> None:
    assert result({"output": [1]}) == Reading(Completed(), [1])
    assert result({}) == Reading(Completed())
    assert result({"outcome": None, "error": "down"}, 503).outcome == Failed("down", error_type="http_5xx")
    assert result({"outcome": "", "error": "bad"}, 422).outcome == Discarded("bad", error_type="http_4xx")


def test_what_a_result_document_leaves_beside_its_outcome_is_handed_on_as_it_stands_there() -> None:
    beside = {"metadata": {"shelf": "B"}, "logs": ["began"]}

    assert result({"outcome": "snooze", **beside}).beside == beside
    assert result({**beside, "logs": None}, 503).beside == {**beside, "logs": None}
    assert result({"outcome": "complete", "output": 1}).beside == {}
    assert reading(200, json.dumps(beside).encode(), Content_Type="application/json").beside == {}


def test_a_header_wins_over_the_document_and_the_document_gives_the_details() -> None:
    assert result({"outcome": "complete", "delay_s": 5}, Job_Outcome="snooze").outcome == Snoozed(timedelta(seconds=5))
    assert reading(200, b"{", Content_Type=RESULT_TYPE, Job_No_Retry="true").outcome == Discarded(
        "HTTP 200", error_type="discard"
    )


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"complete"', b"7", b"\xff\xfe", b"[" * 100_000])
def test_a_result_that_is_no_object_is_retried(body: bytes) -> None:
    assert reading(200, body, Content_Type=RESULT_TYPE).outcome == Failed(
        f"HTTP 200: the body of type {RESULT_TYPE} is not a JSON object", error_type="protocol"
    )


@pytest.mark.parametrize("outcome", [0, 1, True, False, [], ["complete"], {}, {"a": 1}, 1.5, "\0", "完成"])
def test_an_outcome_of_another_type_is_retried(outcome: object) -> None:
    read_as = result({"outcome": outcome, "output": 1})

    assert isinstance(read_as.outcome, Failed)
    assert read_as.outcome.error_type == "protocol"
    assert read_as.output is None


@pytest.mark.parametrize("delay", ["60", -1, -0.001, float("nan"), True, [], {}, "x" * 10_000])
def test_a_delay_that_is_no_number_of_seconds_is_retried_by_policy(delay: object) -> None:
    outcome = result({"outcome": "snooze", "delay_s": delay}).outcome

    assert isinstance(outcome, Failed)
    assert (outcome.error_type, outcome.retry_in) == ("protocol", None)
    assert outcome.error.startswith("HTTP 200: delay_s is ")
    assert len(outcome.error) < 200


@pytest.mark.parametrize("delay", [1e300, 10**400, float("inf"), 2**63])
def test_a_delay_beyond_all_reason_is_the_longest_there_is(delay: float) -> None:
    outcome = result({"outcome": "snooze", "delay_s": delay}).outcome

    assert isinstance(outcome, Snoozed)
    assert timedelta(days=290 * 365) < outcome.delay < timedelta(days=300 * 365)


@pytest.mark.parametrize(
    "error", [7, True, [], [1, 2], {"message": 7}, {"message": {"a": [1]}}, {"trace": []}, {"type": 5}]
)
def test_an_error_of_any_type_becomes_text(error: object) -> None:
    outcome = result({"outcome": "discard", "error": error}).outcome

    assert isinstance(outcome, Discarded)
    assert isinstance(outcome.error, str)
    assert outcome.error
    assert isinstance(outcome.trace, str)


def test_an_error_nested_beyond_all_reason_becomes_text() -> None:
    deep = b"[" * 900 + b"]" * 900
    body = b'{"outcome": "discard", "error": {"message": %s}}' % deep

    outcome = reading(200, body, Content_Type=RESULT_TYPE).outcome

    assert isinstance(outcome, Discarded)


@pytest.mark.parametrize(
    ("content_type", "body", "output"),
    [
        ("application/json", b'{"a": 1}', {"a": 1}),
        ("Application/JSON; charset=utf-8", b"[1]", [1]),
        ("application/problem+json", b'"text"', "text"),
        ("text/json", b"false", False),
        ("application/json", b"null", None),
        ("application/json", b"", None),
        ("application/json", b"{broken", None),
        ("application/json", b"\xff", None),
        ("application/json", b"12345678901234567890123456789", 12345678901234567890123456789),
        ("application/x-ndjson", b'{"t":"log"}', None),
        ("text/html", b'{"a": 1}', None),
        ("json", b"1", None),
        ("", b'{"a": 1}', None),
    ],
)
def test_the_json_of_a_success_is_the_output(content_type: str, body: bytes, output: object) -> None:
    assert reading(200, body, Content_Type=content_type) == Reading(Completed(), output)
    assert reading(500, body, Content_Type=content_type).output is None


def test_a_large_body_is_no_output_but_a_large_output_is() -> None:
    text = "x" * MAX_OUTPUT_BYTES

    plain = reading(200, json.dumps(text).encode(), Content_Type="application/json")

    assert plain == Reading(Completed(), {"riverrun:omitted": "larger than 65536 bytes"})
    assert result({"output": text}) == Reading(Completed(), text)


def test_only_the_beginning_of_a_page_is_kept_as_the_error() -> None:
    outcome = reading(500, ("é" * 5_000).encode(), Content_Type="text/html").outcome

    assert isinstance(outcome, Failed)
    assert outcome.error == "HTTP 500: " + "é" * 1_000


def test_a_promise_to_finish_later_is_kept_or_retried() -> None:
    said = reading(202, Job_Async="60")

    assert said.lease == 60
    assert said.outcome == Failed("the service was not heard of for 60 s", error_type="lease_expired")


@pytest.mark.parametrize("lease", ["", "soon", "0.5", "86401", "-1", "nan", "inf"])
def test_a_promise_without_a_time_that_can_be_kept_is_refused_in_words(lease: str) -> None:
    said = reading(202, Job_Async=lease)

    assert said.lease is None
    assert isinstance(said.outcome, Failed)
    assert said.outcome.error_type == "protocol"
    assert "Job-Async" in said.outcome.error


def test_throttling_counts_no_attempt_when_the_handler_says_so() -> None:
    policy = FailureTerms(DELAY, settings=CallSettings(throttle="snooze"))
    often = FailureTerms(DELAY, snoozes=MAX_SNOOZES, settings=CallSettings(throttle="snooze"))
    answer = Answer(429, {"Retry-After": "30"}, b"")

    assert read(answer, now=NOW, policy=policy).outcome == Snoozed(timedelta(seconds=30))
    assert isinstance(read(answer, now=NOW, policy=often).outcome, Failed)
    assert isinstance(read(answer, now=NOW, policy=FailureTerms(DELAY)).outcome, Failed)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_client_errors_are_retried_when_the_handler_says_so(status: int) -> None:
    policy = FailureTerms(DELAY, settings=CallSettings(client_errors="retry"))

    assert isinstance(read(Answer(status, {}, b""), now=NOW, policy=policy).outcome, Failed)
    assert isinstance(read(Answer(410, {}, b""), now=NOW, policy=policy).outcome, Discarded)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.integers(100, 999),
    st.dictionaries(st.sampled_from(["outcome", "delay_s", "output", "error"]), JSON) | JSON,
    st.dictionaries(st.sampled_from(["Job_Outcome", "Job_No_Retry", "Retry_After", "Job_Async"]), st.text(max_size=20)),
)
def test_every_answer_can_be_read(status: int, document: object, headers: dict[str, str]) -> None:
    outcome = result(document, status, **headers).outcome

    assert isinstance(outcome, Completed | Failed | Discarded | Cancelled | Snoozed)
