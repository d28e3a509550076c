"""``queuectl migrate`` as a process: what it prints where, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import psycopg
import pytest

from riverrun.database.migration_files import latest, numbered
from riverrun.database.schema_script import script
from riverrun.settings.connection import url_from_conninfo


def migrate(*args: str, url: str | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "PYTHONPATH"}} | environ
    env["RIVERRUN_EMBEDDED__DATA_DIR"] = "/nowhere"  # one that runs here for somebody else is none of ours
    if url is not None:
        env["DATABASE_URL"] = url_from_conninfo(url)
    return subprocess.run(
        [sys.executable, "-m", "riverrun_cli.main", "migrate", *args],
        cwd="/",  # no configuration lies there
        env=env,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )


def test_up_then_status_then_up_again(empty_database: str) -> None:
    first = migrate("up", "--database-url", url_from_conninfo(empty_database))
    found = migrate("status", "-o", "json", url=empty_database)
    second = migrate("up", url=empty_database)

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines()[0] == "applied river"
    assert json.loads(found.stdout) == {
        "schema": "public",
        "river_version": 8,
        "river_versions": [1, 2, 3, 4, 5, 6, 7, 8],
        "version": latest(),
        "latest": latest(),
        "pending": [],
        "needed": [],
        "problem": None,
    }
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "nothing to do\n")


def test_status_for_people_says_what_is_pending(empty_database: str) -> None:
    migrate("up", "--to", f"{latest() - 1}", "--schema", "MyApp", url=empty_database)

    found = migrate("status", "--schema", "MyApp", url=empty_database)

    assert found.stdout == (
        f"schema    MyApp\nriver     8\nriverrun  {latest() - 1} of {latest()}\n"
        f"pending   {numbered()[-1].name}\nneeded    {_needed_of_the_newest()}\n"
    )


def _needed_of_the_newest() -> str:
    newest = numbered()[-1]
    return newest.name if newest.needed else "none: this release works without them, the next one may not"


def test_the_schema_of_the_configuration_is_the_one_that_migrates(empty_database: str) -> None:
    migrate("up", url=empty_database, RIVERRUN_POSTGRESQL__SCHEMA="jobs")

    found = migrate("status", url=empty_database, RIVERRUN_POSTGRESQL__SCHEMA="jobs")

    assert found.stdout.startswith("schema    jobs\nriver     8\n")


def test_down_goes_one_step_or_to_a_version(empty_database: str) -> None:
    migrate("up", url=empty_database)

    one = migrate("down", "--yes", url=empty_database)
    rest = migrate("down", "--to", "0", "--drop-river", "--yes", url=empty_database)

    assert one.stdout == f"undone {numbered()[-1].name}\n"
    assert rest.stdout.splitlines()[-2:] == ["undone history", "undone river"]


def test_down_asks_and_where_nobody_can_answer_changes_nothing(empty_database: str) -> None:
    migrate("up", url=empty_database)

    done = migrate("down", "--to", "0", url=empty_database)

    assert (done.returncode, done.stdout) == (2, "")
    assert "--yes" in done.stderr
    assert json.loads(migrate("status", "-o", "json", url=empty_database).stdout)["version"] == latest()


def test_a_state_that_forbids_it_is_one_sentence_and_exit_code_4(empty_database: str) -> None:
    with psycopg.connect(empty_database) as conn:
        conn.execute("CREATE TABLE river_job (id int)")

    done = migrate("up", url=empty_database)

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith('schema "public" has river_job but no river_migration: not River\'s;')
    assert done.stderr.count("\n") == 1


def test_sql_prints_the_script_and_needs_no_database() -> None:
    done = migrate("sql")

    assert (done.returncode, done.stdout, done.stderr) == (0, script(), "")


def test_no_server_is_one_sentence_and_exit_code_6_without_the_password() -> None:
    done = migrate("up", "--database-url", "postgres://user:hunter2@127.0.0.1:1/db?sslmode=disable")

    assert (done.returncode, done.stdout) == (6, "")
    assert "cannot be reached" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["up"], "no database is named: set DATABASE_URL"),
        (["up", "--database-url", "htp:user:hunter2"], "database_url: this value is not allowed; expected postgres://"),
        (
            ["up", "--database-url", "postgres://u:hunter2@h/d?nonsense=1"],
            "database_url: this value is not allowed; expected postgres://",
        ),
        (["up", "--to", "99"], f"99 is not allowed; expected a version from 0 to {latest()}"),
        (["up", "--schema", "9lives"], "expected 1 to 46 letters, digits and underscores"),
        (["down", "--to", "1", "--drop-river", "--yes"], "--drop-river needs --to 0"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2_and_never_shows_a_password(args: list[str], says: str) -> None:
    done = migrate(*args)

    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "hunter2" not in done.stderr
