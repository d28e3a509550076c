"""What a log line holds, what it never holds, and how many processes share the file of a day."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from riverrun.errors import ConfigError
from riverrun.settings.schema import Settings
from riverrun.telemetry.daily_file import DailyFile
from riverrun.telemetry.logs import configure_logging
from riverrun.telemetry.secrets import hide_secrets
from riverrun.telemetry.text_lines import TextLines

log = logging.getLogger("riverrun_executor.runner")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hook, thread_hook = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hook, thread_hook
    logging.captureWarnings(capture=False)


def settings(tmp_path: Path | None = None, **log_settings: object) -> Settings:
    return Settings.model_validate({"server_id": "host-1", "log_path": tmp_path, "log": log_settings})


def test_json_line_about_a_job_says_which_job_and_which_process(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("executor", settings(), incarnation="abc")

    log.info("job_completed", extra={"job_id": 5, "kind": "email", "queue": "default", "attempt": 1})

    line = json.loads(capsys.readouterr().out)
    assert datetime.fromisoformat(line.pop("time")).utcoffset() == timedelta(0)
    assert line == {
        "level": "INFO",
        "event": "job_completed",
        "logger": "riverrun_executor.runner",
        "server_id": "host-1",
        "role": "executor",
        "incarnation": "abc",
        "job_id": 5,
        "kind": "email",
        "queue": "default",
        "attempt": 1,
    }


def test_text_line_is_readable_and_keeps_each_value_one_word(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("executor", settings(format="text"))

    log.warning("job_errored", extra={"job_id": 5, "error": "no\nsuch \x1b[31mhost", "empty": ""})

    line = capsys.readouterr().out
    pattern = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} WARNING executor job_errored job_id=5 error='no"
    assert re.match(pattern, line)
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert line.endswith("empty='' server_id=host-1\n")


def test_levels_below_the_configured_one_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("executor", settings(level="warning"))

    log.info("job_completed")
    log.warning("job_errored")

    assert [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()] == ["job_errored"]


def test_configuring_again_replaces_what_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("executor", settings(tmp_path))
    configure_logging("executor", settings(tmp_path, format="text"))

    log.info("job_completed")

    assert len(capsys.readouterr().out.splitlines()) == 1
    assert len((tmp_path / "executor.log").read_text().splitlines()) == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_reach_no_line(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("executor", settings(format=form))

    error = ValueError("no postgres://u:hunter2@h/d?x=1 with password='hunter2 x' nor Bearer hunter2hunter2")
    detail = {"password": "hunter2", "token": 5, "inner": json.dumps({"password": 'hunter2 "x"'})}
    log.error("lost %s", "postgresql://u:hun@ter2@h/d", extra={"detail": detail}, exc_info=error)
    log.info("job_failed", extra={"task_params": {"to": "hunter2"}})
    log.info("api_called", extra={"header": "Authorization: Bearer hunter2hunter2", "dsn": "host=h password=hunter2"})

    written = capsys.readouterr().out
    if form == "json":
        assert [json.loads(line)["level"] for line in written.splitlines()] == ["ERROR", "INFO", "INFO"]
    assert "hunter2" not in written
    assert "ter2" not in written
    assert "ValueError" in written
    assert written.count("***") >= 6


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("host=h password=x1 user=u", "host=h password=*** user=u"),
        ("password = 'x \\' y' user=u", "password = '***' user=u"),
        ('{"password": "x\\" y", "a": 1}', '{"password": "***", "a": 1}'),
        ('{"token": 5, "secret": {"a": 1}}', '{"token": "***", "secret": {"a": 1}}'),
        (r'"{\"password\": \"x \\\" y\"}"', r'"{\"password\": \"***\"}"'),
        ("amqp://u:x@h/v", "amqp://u:***@h/v"),
        ("postgres://u:p@ss/x@h/d", "postgres://u:***@h/d"),
        ("http://127.0.0.1:9999/admin?to=a@b", "http://127.0.0.1:9999/admin?to=a@b"),
        ("api_key=abc&x=1", "api_key=***&x=1"),
        ("jobs 5 of kind token_refresh done", "jobs 5 of kind token_refresh done"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, hidden: str) -> None:
    assert hide_secrets(text) == hidden


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "piece", ["postgres://a:", 'password="', "password='", 'password=\\"', "a-", "://", "token  ", "bearer "]
)
def test_no_text_makes_hiding_slow(piece: str) -> None:
    assert hide_secrets(piece * (1_000_000 // len(piece)))


def test_uncaught_exceptions_become_log_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("scheduler", settings())
    sys.excepthook(RuntimeError, RuntimeError("it broke"), None)
    thread = threading.Thread(target=lambda: 1 / 0, name="pump")
    thread.start()
    thread.join()

    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["event"], first["level"]) == ("process_failed", "CRITICAL")
    assert "RuntimeError: it broke" in first["exc_info"]
    assert (second["event"], second["thread_name"]) == ("thread_failed", "pump")


def test_log_path_that_cannot_be_written_is_a_problem_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match=r"log_path: .* cannot be written: Not a directory"):
        configure_logging("admin", settings(tmp_path / "file" / "logs"))


def line_at(moment: datetime, text: str) -> logging.LogRecord:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, text, None, None)
    record.created = moment.timestamp()
    return record


def test_files_change_at_midnight_and_old_ones_are_removed(tmp_path: Path) -> None:
    today = datetime.now(UTC).astimezone().replace(hour=12)
    for name in ("executor.log.2020-01-01", "executor.log.backup", "scheduler.log.2020-01-01"):
        (tmp_path / name).touch()
    file = DailyFile(tmp_path, "executor", keep_days=2)

    for day in range(4):
        file.handle(line_at(today + timedelta(days=day), f"day {day}"))
    file.close()

    dates = [(today + timedelta(days=day)).date().isoformat() for day in range(4)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["executor.log", "executor.log.backup", "scheduler.log.2020-01-01"]
        + [f"executor.log.{date}" for date in dates[1:]]
    )
    assert (tmp_path / "executor.log").read_text() == "day 3\n"
    assert (tmp_path / f"executor.log.{dates[2]}").read_text() == "day 2\n"


def test_a_plain_file_in_the_place_of_the_link_is_kept(tmp_path: Path) -> None:
    (tmp_path / "executor.log").write_text("from before\n")

    DailyFile(tmp_path, "executor", keep_days=2).close()

    assert (tmp_path / "executor.log").is_symlink()
    assert [path.read_text() for path in tmp_path.glob("*.old")] == ["from before\n"]


WRITER = """
import logging, sys, time
from datetime import datetime, timedelta
from pathlib import Path
from riverrun.telemetry.daily_file import DailyFile

start = datetime.fromisoformat(sys.argv[3])
handler = DailyFile(Path(sys.argv[1]), "executor", keep_days=3)
handler.setFormatter(logging.Formatter("%(message)s"))
print("ready", flush=True)
sys.stdin.readline()
for number in range(2000):
    moment = start + timedelta(milliseconds=number)
    text = f"{moment.date()} {sys.argv[2]} {number} " + "x" * 200
    record = logging.LogRecord("x", logging.INFO, "", 1, text, None, None)
    record.created = moment.timestamp()
    handler.handle(record)
"""


def test_several_processes_cross_midnight_without_losing_or_misplacing_a_line(tmp_path: Path) -> None:
    midnight = (datetime.now(UTC).astimezone() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    start = (midnight - timedelta(seconds=1)).isoformat()
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(number), start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"

    for writer in writers:
        writer.communicate("go\n", timeout=30)

    lines = {day: (tmp_path / f"executor.log.{day}").read_text().splitlines() for day in _days_around(midnight)}
    assert all(line.startswith(day) and line.endswith("x" * 200) for day, found in lines.items() for line in found)
    assert [len(found) for found in lines.values()] == [4000, 4000]
    assert len({line for found in lines.values() for line in found}) == 8000
    assert (tmp_path / "executor.log").readlink().name == f"executor.log.{midnight.date()}"
    assert not list(tmp_path.glob(".executor*"))


def _days_around(midnight: datetime) -> list[str]:
    return [(midnight - timedelta(days=1)).date().isoformat(), midnight.date().isoformat()]


def test_text_lines_follow_a_record_without_extras() -> None:
    line = TextLines({"role": "admin", "server_id": "s"}).format(line_at(datetime.now(UTC), "admin_started"))

    assert line.endswith(" INFO    admin admin_started server_id=s")
