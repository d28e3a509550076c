"""`queuectl` as a shell sees it: what it prints where, how it exits, and how soon it answers."""

from __future__ import annotations

import json
import os
import pty
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from riverrun.settings.keys import ROOT

Run = Callable[..., subprocess.CompletedProcess[str]]
HEAVY = {"pydantic", "psycopg", "aiohttp", "rich", "yaml", "jinja2", "uvloop", "asyncio", "riverrun.settings.schema"}


@pytest.fixture
def queuectl(tmp_path: Path) -> Run:
    """Run ``queuectl`` in an empty folder, with no variable of this machine that could configure it."""

    def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "PYTHONPATH"}}
        return subprocess.run(
            [sys.executable, "-m", "riverrun_cli.main", *arguments],
            cwd=tmp_path,
            env=kept | environ,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run


def test_help_lists_commands_without_importing_anything_heavy(queuectl: Run) -> None:
    shown = queuectl("--help")
    imported = subprocess.run(
        [sys.executable, "-c", _SAY_WHAT_HELP_IMPORTS], capture_output=True, text=True, timeout=30, check=True
    )

    assert shown.returncode == 0
    assert "Check, show or begin a configuration." in shown.stdout
    assert shown.stderr == ""
    assert not HEAVY & set(imported.stderr.split())


_SAY_WHAT_HELP_IMPORTS = """
import sys
from riverrun_cli.main import main
try:
    main(["--help"])
except SystemExit:
    print(*sys.modules, file=sys.stderr)
"""


def test_help_answers_in_less_than_200_milliseconds_of_processor_time(queuectl: Run) -> None:
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        queuectl("-h")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    assert min(times) < 0.2


def test_every_command_that_is_listed_can_be_called(queuectl: Run) -> None:
    listing = queuectl("--help").stdout.split("Commands:\n")[1]
    names = [line.split()[0] for line in listing.splitlines() if line.strip()]

    results = {name: queuectl(name, "--help") for name in names}

    assert "config" in names
    assert [name for name, result in results.items() if result.returncode != 0] == []


def test_version_and_unknown_command_and_unknown_option(queuectl: Run) -> None:
    version, command, option = queuectl("--version"), queuectl("dance"), queuectl("config", "check", "--dance")

    assert version.stdout.startswith("queuectl 0.")
    assert (command.returncode, option.returncode) == (2, 2)
    assert "No such command 'dance'" in command.stderr
    assert command.stdout == option.stdout == ""


def test_config_init_then_check_then_show(queuectl: Run, tmp_path: Path) -> None:
    written, again = queuectl("config", "init"), queuectl("config", "init")
    forced, checked, shown = (
        queuectl("config", "init", "--force"),
        queuectl("config", "check"),
        queuectl("config", "show"),
    )

    file = tmp_path / "config.yaml"
    assert written.stdout == "wrote config.yaml\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert again.returncode == 2
    assert again.stderr == "config.yaml exists; expected a new path, or --force to overwrite it\n"
    assert forced.returncode == 0
    assert checked.stdout == f"valid: {file}\n"
    assert "      max_workers: 10  # config.yaml line" in shown.stdout
    assert "  port: 9999  # default\n" in shown.stdout
    assert set(yaml.safe_load(shown.stdout)) == {key.path[0] for key in ROOT.settings()}


def test_config_check_tells_every_problem_on_stderr_and_exits_with_2(queuectl: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("admin: {port: 70000, hots: x}\nriver: {workers: no}\n")

    checked = queuectl("config", "check", "--config", "bad.yaml", RIVERRUN_LOG__LEVEL="loud")

    assert checked.returncode == 2
    assert checked.stdout == ""
    assert checked.stderr.splitlines() == [
        "log.level: 'loud' is not allowed; expected one of debug, info, warning, error (RIVERRUN_LOG__LEVEL)",
        "river.workers: 'no' is not allowed; expected a whole number from 1 to 10000 (bad.yaml line 2)",
        "admin.port: 70000 is not allowed; expected a whole number from 0 to 65535 (bad.yaml line 1)",
        "admin.hots: unknown key; did you mean host? (bad.yaml line 1)",
    ]


def test_config_show_as_json_has_values_sources_and_no_secret(queuectl: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("river: {retention: {completed: -1}}\nschedules:\n")

    shown = queuectl("config", "show", "-o", "json", DATABASE_URL="postgres://u:s3cret@h/d", RIVERRUN_SERVER_ID="a")

    found = json.loads(shown.stdout)
    assert "s3cret" not in shown.stdout
    assert found["database_url"] == {"value": "***", "source": "DATABASE_URL"}
    assert found["server_id"] == {"value": "a", "source": "RIVERRUN_SERVER_ID"}
    assert found["river.retention.completed"] == {"value": "-1", "source": "config.yaml line 1"}
    assert found["admin.port"] == {"value": 9999, "source": "default"}


def test_a_configuration_file_that_is_missing_is_a_sentence(queuectl: Run) -> None:
    checked = queuectl("config", "check", "--config", "none.yaml")

    assert checked.returncode == 2
    assert checked.stderr.endswith("none.yaml cannot be read: No such file or directory\n")
    assert len(checked.stderr.splitlines()) == 1


def test_verbose_adds_the_traceback(queuectl: Run) -> None:
    checked = queuectl("-v", "config", "check", "--config", "none.yaml")

    assert checked.returncode == 2
    assert "Traceback (most recent call last)" in checked.stderr


@pytest.mark.parametrize(
    ("raised", "code", "sentence"),
    [
        ("errors.NotFound('job', 5)", 3, "job 5 does not exist"),
        ("errors.JobRunning(5)", 4, "job 5 is running; cancel it first"),
        ("errors.InvalidInput('priority', 10, '1 to 9')", 4, "priority: 10 is not allowed; expected 1 to 9"),
        ("errors.DatabaseUnavailable('no answer')", 6, "no answer"),
        ("psycopg.OperationalError('x://u:s3cret@h')", 6, "the database cannot be reached: x://u:***@h"),
        ("TimeoutError('5 s passed')", 7, "5 s passed"),
        ("click.UsageError('say --yes')", 2, "Error: say --yes"),
        ("click.Abort()", 130, "interrupted"),
        ("KeyboardInterrupt()", 130, ""),
        ("ZeroDivisionError('oh')", 1, "unexpected ZeroDivisionError: oh\n`queuectl -v …` shows where it happened"),
    ],
)
def test_errors_become_one_sentence_and_an_exit_code(raised: str, code: int, sentence: str) -> None:
    script = f"""
import click, psycopg
from riverrun import errors
from riverrun_cli import config, main
@config.config.command
def fail() -> None:
    raise {raised}
main.main(["config", "fail"])
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)

    assert result.returncode == code
    assert result.stderr.strip().removeprefix("Usage: queuectl config fail [OPTIONS]\nTry").endswith(sentence)
    assert "Traceback" not in result.stderr
    assert "s3cret" not in result.stderr


def test_a_reader_that_leaves_early_is_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    result = subprocess.run(
        [sys.executable, "-m", "riverrun_cli.main", "config", "show"],
        cwd=tmp_path,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )

    os.close(writer)
    assert (result.returncode, result.stderr) == (1, b"")


_WRITE_ROWS = """
import sys
from datetime import UTC, datetime
from riverrun_cli.output import write_rows
rows = [{"id": 7, "kind": "e\\x1b[31m\\tmail", "at": datetime(2026, 1, 2, tzinfo=UTC), "args": {"ä": 1}, "no": None}]
write_rows(rows, columns=["id", "kind", "at", "no"], wide=["args"], output=sys.argv[1])
"""


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("table", "id\tkind\tat\tno\n7\te\\x1b[31m\\tmail\t2026-01-02T00:00:00.000Z\t\n"),
        ("csv", 'id,kind,at,no,args\n7,e\\x1b[31m\\tmail,2026-01-02T00:00:00.000Z,,"{""ä"": 1}"\n'),
        ("id", "7\n"),
    ],
)
def test_rows_for_programs_are_plain_text_without_control_characters(form: str, expected: str) -> None:
    written = subprocess.run(
        [sys.executable, "-c", _WRITE_ROWS, form], capture_output=True, timeout=30, check=True
    ).stdout.decode()

    assert written == expected


@pytest.mark.parametrize("form", ["json", "ndjson"])
def test_rows_as_json_keep_their_types(form: str) -> None:
    written = subprocess.run([sys.executable, "-c", _WRITE_ROWS, form], capture_output=True, timeout=30, check=True)

    found = json.loads(written.stdout)
    row = found[0] if form == "json" else found
    assert row["args"] == {"ä": 1}
    assert row["no"] is None
    assert row["at"] == "2026-01-02T00:00:00.000Z"


def test_a_terminal_gets_a_table_without_colour_when_it_asks_for_none() -> None:
    written = _on_terminal(NO_COLOR="1", COLUMNS="100")

    assert "\t" not in written
    assert "\x1b" not in written
    assert "2026-01-02 00:00:00Z" in written


def test_a_narrow_terminal_gets_everything_in_more_lines() -> None:
    written = _on_terminal(NO_COLOR="1", COLUMNS="30")

    assert "…" not in written
    assert {"2026-01-02", "00:00:00Z"} <= set(written.split())


def _on_terminal(**environ: str) -> str:
    """Return the table that a terminal gets."""
    main, other = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", _WRITE_ROWS, "table"],
        stdout=other,
        env={**os.environ, **environ},
        timeout=30,
        check=True,
    )
    os.close(other)
    written = os.read(main, 65_536).decode()
    os.close(main)
    return written


@pytest.mark.parametrize("words", [[], ["job"], ["bench"], ["--lang", "zh", "config"]])
def test_a_command_without_its_verb_shows_its_help(queuectl: Run, words: Sequence[str]) -> None:
    shown = queuectl(*words)

    assert shown.returncode == 2
    assert shown.stdout + shown.stderr == queuectl(*words, "--help").stdout


def test_help_and_messages_are_in_the_language_that_is_asked_for(queuectl: Run) -> None:
    helped, refused = queuectl("--lang", "zh", "job", "snooze", "--help"), queuectl("--lang=zh", "job", "get", "0")

    assert helped.stdout.startswith("用法：queuectl job snooze")
    assert "延后任务；不消耗尝试次数。" in helped.stdout
    assert "[必填]" in helped.stdout
    assert (refused.returncode, refused.stderr) == (4, "ID：不允许 0；应为 1 到 9223372036854775807 的整数\n")
    assert "Usage: queuectl job snooze" in queuectl("job", "snooze", "--help").stdout


def test_problems_of_a_configuration_are_told_in_the_language_with_where_they_stand(
    queuectl: Run, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(
        "river: {workerz: 3, workers: many, leadership: king}\nadmin: {port: 99999}\n"
    )

    told = queuectl("--lang", "zh", "config", "check", RIVERRUN_LOG__LEVEL="loud").stderr.splitlines()

    assert sorted(told) == [
        "admin.port：不允许 99999；应为 0 到 65535 的整数（config.yaml line 2）",
        "log.level：不允许 'loud'；应为以下之一：debug, info, warning, error（RIVERRUN_LOG__LEVEL）",
        "river.leadership：不允许 'king'；应为以下之一：lead, follow, off（config.yaml line 1）",
        "river.workers：不允许 'many'；应为 1 到 10000 的整数（config.yaml line 1）",
        "river.workerz：未知的键；是不是 workers？（config.yaml line 1）",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["job", "lst"], "错误：没有命令 'lst'。是不是 'list'？"),
        (["job", "list", "--limit", "x"], "错误：'--limit' 的值无效：'x' 不是整数。"),
        (["job", "cancel"], "错误：请给出编号或 --filter，二者之一"),
        (["migrate", "up", "--to", "99"], "错误：'--to' 的值无效：不允许 99；应为 0 到"),
        (["schedule", "next", "x"], "EXPR：不允许 'x'；应为五个字段"),
        (["status"], "本机没有（此用户的）守护进程"),
        (["job", "list"], "没有指定数据库"),
    ],
)
def test_what_is_refused_is_refused_in_the_language_that_is_asked_for(
    queuectl: Run, words: Sequence[str], said: str
) -> None:
    refused = queuectl("--lang", "zh", *words, RIVERRUN_SERVER_ID="nobody-of-this-name")

    assert refused.stderr.splitlines()[-1].startswith(said)
    assert refused.returncode in {2, 3, 4}
