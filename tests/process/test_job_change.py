"""``queuectl job run | snooze | reprioritize | move | edit``: what jobs that wait are made, and what is recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.queries import Table
from support.queuectl import Queuectl


def job(table: Table, job_id: int = 1) -> dict[str, Any]:
    row = table.execute("SELECT * FROM river_job WHERE id = %s", (job_id,)).fetchone()
    assert row is not None
    return row


def recorded(table: Table) -> list[dict[str, Any]]:
    return [json.loads(row["entry"]) for row in table.execute("SELECT entry FROM riverrun_audit ORDER BY number")]


def test_jobs_that_wait_are_run_moved_snoozed_and_reprioritized(queuectl: Queuectl, table: Table) -> None:
    for _ in range(2):
        queuectl("job", "enqueue", "email", "--delay", "1h")

    moved = queuectl.json("job", "move", "1", "2", "--to", "mail")
    queuectl("job", "reprioritize", "1", "--priority", "3")
    snoozed = queuectl.json("job", "snooze", "1", "--for", "2h")
    run = queuectl.json("job", "run", "2")

    assert [each["state"] for each in moved] == ["scheduled", "scheduled"]
    assert (snoozed, run) == ([{"id": 1, "state": "scheduled"}], [{"id": 2, "state": "available"}])
    assert (job(table)["queue"], job(table)["priority"]) == ("mail", 3)
    assert (job(table)["scheduled_at"] - job(table)["created_at"]).total_seconds() > 7_000
    told = [(entry["action"], entry["target"]) for entry in recorded(table)]
    assert told == [
        ("job.move", "job:1"), ("job.move", "job:2"), ("job.reprioritize", "job:1"), ("job.snooze", "job:1"),
        ("job.run", "job:2"),
    ]  # fmt: skip


def test_all_jobs_of_a_filter_are_moved(queuectl: Queuectl, table: Table) -> None:
    for _ in range(3):
        queuectl("job", "enqueue", "email", "--delay", "1h")

    done = queuectl.json("job", "move", "--filter", "kind:email", "--to", "mail", "--yes")

    assert (done["state"], done["changed"]) == ("done", 3)
    assert {row["queue"] for row in table.execute("SELECT queue FROM river_job")} == {"mail"}


def test_a_job_is_edited_and_what_it_was_is_recorded(queuectl: Queuectl, table: Table) -> None:
    queuectl("job", "enqueue", "email", '{"to": "a", "password": "hunter2"}', "--delay", "1h", "--tag", "old-tag")

    edited = queuectl.json(
        "job", "edit", "1", "--args", '{"to": "b", "n": 12345678901234567890123}', "--priority", "2", "--tag", "new-tag"
    )

    assert edited["args"] == {"to": "b", "n": 12345678901234567890123}
    assert (job(table)["priority"], job(table)["tags"]) == (2, ["new-tag"])
    (entry,) = recorded(table)
    assert (entry["action"], entry["target"]) == ("job.edit", "job:1")
    assert entry["before"] == {"args": {"to": "a", "password": "***"}, "priority": 1, "tags": ["old-tag"]}
    assert "hunter2" not in json.dumps(recorded(table))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["edit", "1"], 4, "--args: "),
        (["edit", "1", "--args", "[]"], 4, "--args: "),
        (["edit", "1", "--args", '{"password": "***"}'], 4, "--args: "),
        (["edit", "1", "--at", "tomorrow"], 4, "--at: "),
        (["edit", "1", "--tag", "x y"], 4, "--tag"),
        (["edit", "77", "--priority", "2"], 3, "job 77 does not exist"),
        (["snooze", "1", "--for", "soon"], 4, "--for: "),
        (["reprioritize", "1", "--priority", "10"], 4, "--priority: "),
        (["move", "1", "--to", "A b"], 4, "--to: "),
        (["run", "77"], 3, "job 77 does not exist"),
        (["run"], 2, "--filter"),
    ],
)
def test_what_is_not_allowed_names_its_option_and_changes_nothing(
    queuectl: Queuectl, table: Table, arguments: list[str], code: int, said: str
) -> None:
    queuectl("job", "enqueue", "email", "--delay", "1h")
    before = job(table)

    done = queuectl("job", *arguments)

    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert job(table) == before
    assert recorded(table) == []


@pytest.mark.parametrize(("state", "said"), [("running", "is running"), ("completed", "is already completed")])
def test_a_job_that_does_not_wait_is_not_changed(queuectl: Queuectl, table: Table, state: str, said: str) -> None:
    queuectl("job", "enqueue", "email")
    ended = "now()" if state == "completed" else "NULL"
    table.execute(f"UPDATE river_job SET state = '{state}', finalized_at = {ended}".encode())

    for arguments in (["run", "1"], ["snooze", "1", "--for", "1h"], ["edit", "1", "--priority", "2"]):
        done = queuectl("job", *arguments)

        assert (done.returncode, said in done.stderr) == (4, True), done.stderr
