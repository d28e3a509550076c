"""What a handler logs is kept with its job, in the form and within the limits of River's own log middleware."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from riverrun.context import Context
from riverrun.job_log import LIVE_BYTES_PER_SECOND, MAX_ATTEMPT_BYTES, MAX_BYTES
from support.attempts import claimed, context_of


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def logged(metadata: Mapping[str, object] | str = "{}") -> Context:
    return context_of(claimed(metadata=metadata))


def kept(context: Context) -> Any:
    return json.loads(context.all_notes() or "{}").get("river:log")


def test_a_line_is_kept_with_its_fields_and_without_those_that_the_job_has_itself() -> None:
    context = logged()

    context.log.info("mail_sent", extra={"parts": 2, "to": "a b"})
    context.log.warning("took %d s", 3)

    (entry,) = kept(context)
    assert entry["attempt"] == 2
    first, second = entry["log"].splitlines()
    assert first.split(" ", 1)[1] == "INFO mail_sent parts=2 to='a b'"
    assert second.split(" ", 1)[1] == "WARNING took 3 s"
    assert first.split(" ", 1)[0].endswith("Z")


def test_an_exception_is_kept_with_its_trace() -> None:
    context = logged()

    try:
        int("odd")
    except ValueError:
        context.log.exception("mail_failed")

    assert kept(context)[0]["log"].rstrip().endswith("invalid literal for int() with base 10: 'odd'")


def test_what_the_process_does_not_log_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    context = logged()

    context.log.debug("detail")
    with caplog.at_level(logging.WARNING):
        context.log.info("said too softly")

    assert kept(context) is None


def test_a_secret_is_kept_nowhere() -> None:
    context = logged()

    context.log.info("connecting to postgres://user:s3cr3t@host/db", extra={"password": "s3cr3t", "token": "s3cr3t"})

    assert "s3cr3t" not in kept(context)[0]["log"]


def test_the_attempts_before_come_first_and_are_kept_as_they_are() -> None:
    earlier = [{"attempt": 1, "log": "by another client\n", "big": 12345678901234567890123}]
    context = logged({"river:log": earlier})

    context.log.info("second")

    assert kept(context)[0] == earlier[0]
    assert [entry["attempt"] for entry in kept(context)] == [1, 2]


def test_nothing_is_written_over_what_is_no_list() -> None:
    context = logged({"river:log": "somebody else's"})

    context.log.info("hello")

    assert context.all_notes() is None


def test_an_attempt_without_a_line_leaves_the_logs_alone() -> None:
    context = logged({"river:log": [{"attempt": 1, "log": "x"}]})

    assert context.log.name == "riverrun.job"
    assert context.all_notes() is None


def test_an_attempt_keeps_two_mebibytes_and_the_first_of_them() -> None:
    context = logged()

    context.log.info("first")
    for _ in range(3):
        context.log.info("é" * (MAX_ATTEMPT_BYTES // 4))
    context.log.info("never kept")

    text = kept(context)[0]["log"]
    assert "first\n" in text
    assert text.endswith("…\n")
    assert len(text.encode()) <= MAX_ATTEMPT_BYTES


def test_of_all_attempts_together_the_oldest_are_dropped() -> None:
    mebibyte = "x" * (1024 * 1024)
    context = logged({"river:log": [{"attempt": number, "log": mebibyte} for number in range(10)]})

    context.log.info("newest")

    entries = kept(context)
    assert [entry["attempt"] for entry in entries] == [3, 4, 5, 6, 7, 8, 9, 2]
    assert len(json.dumps(entries, separators=(",", ":"))) <= MAX_BYTES


def test_text_that_postgresql_cannot_store_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    # What pytest captures, it sends on as text of UTF-8, which half a pair is not.
    monkeypatch.setattr(logging.getLogger("riverrun.job"), "propagate", False)
    context = logged()

    context.log.info("nul \x00 and half a pair \ud800")

    assert "nul \ufffd and half a pair \ufffd" in kept(context)[0]["log"]


def test_a_line_whose_values_do_not_fit_is_left_out_and_harms_nobody(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("riverrun.job"), "disabled", True)
    monkeypatch.setattr(logging.getLogger("riverrun.job"), "propagate", False)
    context = logged()

    context.log.info("%d parts", "two")
    context.log.info("fine")

    assert [line.split(" ", 1)[1] for line in kept(context)[0]["log"].splitlines()] == ["INFO fine"]
    assert "TypeError" in capsys.readouterr().err


def test_while_the_attempt_runs_a_long_log_is_written_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("riverrun.job_log.time.monotonic", lambda: now)
    context = logged()

    context.log.info("x" * (3 * LIVE_BYTES_PER_SECOND))
    first = context.take_notes()
    context.log.info("more")
    too_soon = context.take_notes()
    now += 3.1
    later = context.take_notes()

    assert first is not None
    assert too_soon is None
    assert "more" in (later or "")
    assert context.take_notes() is None


def test_threads_may_log_while_the_executor_takes_notes() -> None:
    context = logged()

    def note() -> None:
        for number in range(200):
            context.log.info("line %d", number)

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        context.take_notes()
    for thread in threads:
        thread.join()

    assert len(kept(context)[0]["log"].splitlines()) == 800
