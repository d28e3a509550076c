"""``queuectl job`` as people and scripts use it: a process, its streams, its exit code, and the table."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from support.queries import Table, rows
from support.queuectl import QUEUECTL, Queuectl


def test_jobs_of_a_file_and_of_a_schedule_get_the_attempts_of_their_handler(queuectl: Queuectl, table: Table) -> None:
    queuectl("handler", "register", "email", "--type", "local", "--retries", "2")
    queuectl("schedule", "create", "nightly", "--kind", "email", "--cron", "30 4 * * *")
    lines = (
        '{"kind": "email", "args": {}}\n{"kind": "email", "args": {}, "max_attempts": 7}\n{"kind": "fax", "args": {}}'
    )

    imported = queuectl.json("job", "import", "-", given=lines)
    queuectl.json("schedule", "run", "nightly")
    queuectl.json("job", "enqueue", "email")

    assert imported == {"enqueued": 3}
    assert [row["max_attempts"] for row in rows(table)] == [3, 7, 25, 3, 3]


def test_enqueue_takes_every_word_about_a_job(queuectl: Queuectl, table: Table) -> None:
    answer = queuectl.json(
        "job", "enqueue", "email", '{"to": "a@example.com", "n": 12345678901234567890123}',
        "--queue", "mail", "--priority", "9", "--at", "2031-01-31T09:00:00+08:00", "--max-attempts", "3",
        "--timeout", "1m30s", "--tag", "first-tag", "--tag", "second", "--metadata", '{"trace": "x"}',
    )  # fmt: skip

    (row,) = rows(table)
    assert row["args"] == {"to": "a@example.com", "n": 12345678901234567890123}
    assert (row["queue"], row["priority"], row["max_attempts"], row["state"]) == ("mail", 9, 3, "scheduled")
    assert row["scheduled_at"].isoformat() == "2031-01-31T01:00:00+00:00"
    assert row["tags"] == ["first-tag", "second"]
    assert row["metadata"] == {"trace": "x", "riverrun:timeout_seconds": 90.0}
    assert answer == {
        "id": row["id"], "state": "scheduled", "kind": "email", "queue": "mail", "priority": 9, "max_attempts": 3,
        "scheduled_at": "2031-01-31T01:00:00.000Z", "duplicate": False, "handler_known": False, "queue_served": False,
    }  # fmt: skip


def test_enqueue_reads_params_from_a_file_and_from_a_pipe(queuectl: Queuectl, table: Table, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text('{"from": "file"}')

    from_file = queuectl("job", "enqueue", "email", "@params.json", "-o", "id")
    from_pipe = queuectl("job", "enqueue", "email", "-", "-o", "id", given='{"from": "pipe"}')

    assert (from_file.stdout, from_pipe.stdout) == ("1\n", "2\n")
    assert [row["args"] for row in rows(table)] == [{"from": "file"}, {"from": "pipe"}]


def test_enqueue_says_on_stderr_that_nobody_serves_the_queue(queuectl: Queuectl) -> None:
    done = queuectl("job", "enqueue", "email", "-q", "nowhere")

    assert done.returncode == 0
    assert "no executor serves the queue nowhere now; the job waits until one does" in done.stderr


def test_a_unique_job_is_enqueued_once(queuectl: Queuectl) -> None:
    first = queuectl.json("job", "enqueue", "email", '{"to": "a", "n": 1}', "--unique-by-arg", "to")
    second = queuectl.json("job", "enqueue", "email", '{"to": "a", "n": 2}', "--unique-by-arg", "to")

    assert (first["duplicate"], second["duplicate"]) == (False, True)
    assert second["id"] == first["id"]


def test_a_queue_and_a_handler_give_a_job_what_it_does_not_say(queuectl: Queuectl, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("river:\n  max_attempts: 7\n  queues:\n    mail: {priority: 4}\n")
    queuectl("handler", "register", "fax", "--type", "http", "--url", "http://localhost:1/", "--retries", "1")

    by_queue = queuectl.json("job", "enqueue", "email", "-q", "mail")
    by_handler = queuectl.json("job", "enqueue", "fax")

    assert (by_queue["priority"], by_queue["max_attempts"]) == (4, 7)
    assert (by_handler["priority"], by_handler["max_attempts"], by_handler["handler_known"]) == (1, 2, True)


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["e"], "KIND"),
        (["k" * 128], "KIND"),
        (["email", "not json"], "PARAMS"),
        (["email", "[1]"], "PARAMS"),
        (["email", '{"a": "\\u0000"}'], "PARAMS"),
        (["email", '{"a": NaN}'], "PARAMS"),
        (["email", "@missing.json"], "PARAMS"),
        (["email", "--queue", ""], "--queue"),
        (["email", "--queue", "Mail"], "--queue"),
        (["email", "--priority", "0"], "--priority"),
        (["email", "--priority", "10"], "--priority"),
        (["email", "--max-attempts", "0"], "--max-attempts"),
        (["email", "--timeout", "-1"], "--timeout"),
        (["email", "--delay", "soon"], "--delay"),
        (["email", "--at", "2031-01-31T09:00:00"], "--at"),
        (["email", "--at", "tomorrow"], "--at"),
        (["email", "--tag", "a,b"], r"--tag\.0"),
        (["email", "--metadata", "[]"], "--metadata"),
        (["email", "--metadata", '{"river:log": 1}'], r"--metadata\.river:log"),
        (["email", "--unique-by-state", "completed"], r"--unique\.by_state"),
    ],
)
def test_bad_input_names_its_option_and_writes_nothing(
    queuectl: Queuectl, table: Table, arguments: list[str], option: str
) -> None:
    done = queuectl("job", "enqueue", *arguments)

    assert done.returncode == 4
    assert done.stdout == ""
    assert re.match(rf"{option}: .* is not allowed; expected ", done.stderr)
    assert rows(table) == []


def test_params_of_more_than_a_mebibyte_are_refused(queuectl: Queuectl, table: Table) -> None:
    one_byte_more = '{"a": "' + "x" * (1024 * 1024 + 1 - 9) + '"}'

    done = queuectl("job", "enqueue", "email", "-", given=one_byte_more)

    assert (len(one_byte_more), done.returncode) == (1024 * 1024 + 1, 4)
    assert done.stderr.startswith("PARAMS: ")
    assert rows(table) == []


def test_list_filters_and_pages(queuectl: Queuectl) -> None:
    lines = "".join(json.dumps({"kind": f"kind{n % 2}", "args": {"n": n}, "queue": "mail"}) + "\n" for n in range(6))
    queuectl("job", "import", "-", given=lines)
    queuectl("job", "enqueue", "kind1", "-q", "other")

    first = queuectl("job", "ls", "-q", "mail", "--kind", "kind1", "--limit", "2", "-o", "ndjson")
    cursor = first.stderr.removeprefix("more: --cursor ").strip()
    second = queuectl("job", "ls", "-q", "mail", "--kind", "kind1", "--limit", "2", "--cursor", cursor, "-o", "ndjson")

    found = [json.loads(line)["args"]["n"] for line in (first.stdout + second.stdout).splitlines()]
    assert sorted(found) == [1, 3, 5]
    assert second.stderr == ""
    assert len(queuectl("job", "list", "--all", "-o", "id").stdout.splitlines()) == 7
    oldest = queuectl(
        "job", "list", "--order", "oldest", "--kind", "kind0", "--kind", "kind1", "-o", "id"
    ).stdout.split()
    assert oldest == sorted(oldest, key=int)
    assert queuectl("job", "list", "--all-tags", "some-tag", "--metadata", '{"a": 1}', "-o", "id").stdout == ""
    assert queuectl("job", "list", "--id", oldest[0], "-o", "id").stdout.split() == oldest[:1]
    assert queuectl("job", "list", "-o", "csv").stdout.splitlines()[0].startswith("id,state,kind,queue")
    assert queuectl("job", "list").stdout.splitlines()[0].split("\t")[:3] == ["id", "state", "kind"]


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--state", "done"], "--state"),
        (["--queue", ""], "--queue"),
        (["--priority", "0"], "--priority"),
        (["--limit", "0"], "--limit"),
        (["--cursor", "x"], "--cursor"),
        (["--created-after", "2031-01-31"], "--created-after"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(queuectl: Queuectl, arguments: list[str], option: str) -> None:
    done = queuectl("job", "list", *arguments)

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"{option}: ")


def test_jobs_are_shown_cancelled_retried_and_deleted(queuectl: Queuectl) -> None:
    queuectl("job", "enqueue", "email", '{"to": "a"}')
    queuectl("job", "enqueue", "email")

    shown = queuectl.json("job", "get", "1")
    cancelled = queuectl.json("job", "cancel", "1", "2")
    retried = queuectl.json("job", "retry", "1")
    deleted = queuectl.json("job", "rm", "1", "2", "--yes")

    assert (shown["args"], shown["state"], shown["errors"]) == ({"to": "a"}, "available", [])
    assert [job["state"] for job in cancelled] == ["cancelled", "cancelled"]
    assert [job["state"] for job in retried] == ["available"]
    assert [job["id"] for job in deleted] == [1, 2]
    assert queuectl.json("job", "list") == []


def test_one_missing_job_does_not_stop_the_others(queuectl: Queuectl) -> None:
    queuectl("job", "enqueue", "email")

    done = queuectl("job", "cancel", "77", "1", "-o", "json")

    assert done.returncode == 3
    assert [job["id"] for job in json.loads(done.stdout)] == [1]
    assert done.stderr == "job 77 does not exist\n"


@pytest.mark.parametrize("wrong", ["0", "-1", "abc", "9223372036854775808", "1.5"])
@pytest.mark.parametrize("verb", ["get", "cancel", "retry", "delete"])
def test_an_id_that_cannot_be_one_is_refused(queuectl: Queuectl, verb: str, wrong: str) -> None:
    done = queuectl("job", verb, "--", wrong)

    assert done.returncode == 4
    assert "ID: " in done.stderr
    assert "expected a whole number from 1 to 9223372036854775807" in done.stderr


def test_a_job_that_runs_is_neither_retried_nor_deleted(queuectl: Queuectl, table: Table) -> None:
    queuectl("job", "enqueue", "email")
    table.execute("UPDATE river_job SET state = 'running'")

    for arguments in (["retry", "1"], ["delete", "1", "--yes"]):
        done = queuectl("job", *arguments)
        assert (done.returncode, done.stderr) == (4, "job 1 is running; cancel it first\n")


def test_a_table_on_a_narrow_terminal_shows_every_word_and_every_time(queuectl: Queuectl, table: Table) -> None:
    queuectl("job", "enqueue", "email", "--at", "2030-01-31T09:00:00+08:00")

    jobs = queuectl.on_terminal("job", "list", typed="")[1]
    queues = queuectl.on_terminal("queue", "list", typed="")[1]
    queuectl("job", "cancel", "1")
    changes = queuectl.on_terminal("audit", "list", typed="")[1]

    assert re.search(r"\d\d:\d\d:\d\dZ", changes)
    assert all(word in jobs for word in ("email", "2030-01-31", "01:00:00Z", "attempts"))
    assert "executors" in queues
    assert "…" not in jobs + queues + changes


def test_deleting_asks_on_a_terminal_and_nowhere_else(queuectl: Queuectl, table: Table) -> None:
    queuectl("job", "enqueue", "email")

    piped = queuectl("job", "delete", "1")
    no, asked = queuectl.on_terminal("job", "delete", "1", typed="n\n")

    assert (piped.returncode, "--yes" in piped.stderr) == (2, True)
    assert (no, "Delete 1 job? [y/N]" in asked, "nothing was changed" in asked) == (130, True, True)
    assert len(rows(table)) == 1
    assert queuectl.on_terminal("job", "delete", "1", typed="y\n")[0] == 0
    assert rows(table) == []


def test_import_keeps_every_digit_and_every_member(queuectl: Queuectl, table: Table, tmp_path: Path) -> None:
    (tmp_path / "jobs.ndjson").write_text(
        '{"kind": "email", "args": {"n": 0.12345678901234567890123, "big": 123456789012345678901}}\n'
        "\n"
        '  {"kind":"email","args":{},"queue":"mail","priority":2,"delay":"1h","tags":["one-tag"],"metadata":{}}  \n'
        '{"kind": "email", "args": {"a": 1}, "unique": {"by_args": true, "by_period": "1h"}}\n'
        '{"kind": "email", "args": {"a": 1}, "unique": {"by_args": true, "by_period": 3600}}\n'
        '{"kind": "email", "args": {}, "scheduled_at": "2031-01-01T00:00:00Z", "timeout": 5, "max_attempts": 2}'
    )

    answer = queuectl.json("job", "import", "jobs.ndjson")

    texts = [row["text"] for row in table.execute("SELECT args::text AS text FROM river_job ORDER BY id")]
    assert answer == {"enqueued": 4}
    assert texts[0] == '{"n": 0.12345678901234567890123, "big": 123456789012345678901}'
    second, last = rows(table)[1], rows(table)[-1]
    assert (second["queue"], second["priority"], second["state"], second["tags"]) == (
        "mail",
        2,
        "scheduled",
        ["one-tag"],
    )
    assert (last["max_attempts"], last["metadata"]) == (2, {"riverrun:timeout_seconds": 5.0})


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("not json", "line 2001"),
        ("[1]", "line 2001"),
        ('{"kind": "email", "args": {}} x', "line 2001"),
        ('{"kind": "email", "args": {}', "line 2001"),
        ('{"kind": "email"}', "line 2001.args"),
        ('{"kind": "email", "args": []}', "line 2001.args"),
        ('{"kind": "email", "args": {"a": NaN}}', "line 2001.args"),
        ('{"kind": "email", "args": {}, "priorty": 1}', "line 2001.priorty"),
        ('{"kind": "email", "args": {}, "priority": 10}', "line 2001.priority"),
        ('{"kind": "email", "args": {}, "scheduled_at": "2031-01-01T00:00:00"}', "line 2001.scheduled_at"),
        ('{"kind": "email", "args": {}, "unique": {"by_arg": true}}', "line 2001.unique"),
    ],
)
def test_an_import_with_one_bad_line_names_it_and_leaves_nothing(
    queuectl: Queuectl, table: Table, line: str, place: str
) -> None:
    done = queuectl("job", "import", "-", given='{"kind": "email", "args": {}}\n' * 2000 + line + "\n")

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"{place}: "), done.stderr
    assert rows(table) == []


def test_an_import_shows_a_bar_on_a_terminal(queuectl: Queuectl, tmp_path: Path) -> None:
    (tmp_path / "jobs.ndjson").write_text('{"kind": "email", "args": {}}\n' * 3000)

    code, shown = queuectl.on_terminal("job", "import", "jobs.ndjson", typed="")

    assert code == 0
    assert "3000 jobs" in shown
    assert "enqueued" in shown


def test_a_database_that_is_not_there_is_exit_code_6_without_its_password(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "DATABASE_URL": "postgres://u:secret@127.0.0.1:1/x",
    }

    done = subprocess.run(
        [QUEUECTL, "job", "list"],
        capture_output=True,
        text=True,
        timeout=50,
        cwd=tmp_path,
        env=environment,
        check=False,
    )

    assert done.returncode == 6
    assert "cannot connect to PostgreSQL at 127.0.0.1:1/x" in done.stderr
    assert "secret" not in done.stderr


def test_a_database_without_tables_names_the_command_that_makes_them(empty_database: str, tmp_path: Path) -> None:
    done = Queuectl(empty_database, tmp_path)("job", "list")

    assert done.returncode == 4
    assert "run: queuectl migrate up" in done.stderr
