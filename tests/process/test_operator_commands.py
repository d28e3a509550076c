"""``queuectl token | audit | bulk`` and filters as processes: what operators do in an incident, without a daemon."""

from __future__ import annotations

import hashlib
import json

import pytest

from support.queries import Table, rows
from support.queuectl import Queuectl


def test_a_token_is_made_listed_and_revoked(queuectl: Queuectl, table: Table) -> None:
    made = queuectl.json("token", "create", "ci", "--role", "enqueue", "-q", "mail*", "--expires-in", "90d")
    kept = table.execute("SELECT sha256, role, queues FROM riverrun_token").fetchone()
    queuectl("token", "revoke", made["id"])
    (listed,) = queuectl.json("token", "list")
    unknown = queuectl("token", "revoke", "nobody")

    assert kept is not None
    assert bytes(kept["sha256"]) == hashlib.sha256(made["token"].encode()).digest()
    assert (kept["role"], kept["queues"]) == ("enqueue", ["mail*"])
    assert listed["revoked_at"] is not None
    assert "token" not in listed
    assert unknown.returncode == 3


def test_a_token_that_is_not_allowed_names_the_option(queuectl: Queuectl) -> None:
    done = queuectl("token", "create", "ci", "--role", "root")

    assert (done.returncode, "--role" in done.stderr) == (4, True)


def test_what_was_done_in_the_shell_is_recorded_and_verified(queuectl: Queuectl, table: Table) -> None:
    job_id = queuectl.json("job", "enqueue", "email")["id"]
    queuectl("job", "cancel", str(job_id))
    queuectl("queue", "scale", "mail", "5")

    listed = queuectl.json("audit", "list")
    exported = queuectl("audit", "export").stdout.splitlines()
    intact = queuectl("audit", "verify")
    table.execute("UPDATE riverrun_audit SET entry = replace(entry, 'mail', 'nail')")
    broken = queuectl("audit", "verify")

    assert [(entry["action"], entry["target"]) for entry in listed] == [
        ("queue.scale", "queue:mail"),
        ("job.cancel", f"job:{job_id}"),
    ]
    assert all(entry["actor"].startswith("shell:") for entry in listed)
    assert [json.loads(line)["number"] for line in exported] == [1, 2]
    assert (intact.returncode, broken.returncode) == (0, 10)


def test_all_jobs_of_a_filter_are_retried(queuectl: Queuectl, table: Table) -> None:
    table.execute(
        "INSERT INTO river_job (kind, args, max_attempts, state, finalized_at)"
        " SELECT 'email', '{\"user\": 7}', 25, 'discarded', now() FROM generate_series(1, 700)"
    )
    terms = "state:discarded args.user:7"

    counted = queuectl.json("job", "retry", "--filter", terms, "--dry-run")
    refused = queuectl("job", "retry", "--filter", terms)
    done = queuectl.json("job", "retry", "--filter", terms, "--yes")
    (listed,) = queuectl.json("bulk", "list")
    left = queuectl.json("job", "list", "--filter", "state:available", "--limit", "1000")

    assert counted["jobs"] == 700
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    assert (done["state"], done["changed"]) == ("done", 700)
    assert listed["id"] == done["id"]
    assert len(left) == 700


def test_ids_and_a_filter_exclude_each_other(queuectl: Queuectl) -> None:
    for arguments in (["1", "--filter", "kind:email"], [], ["--filter", ""]):
        assert queuectl("job", "cancel", "--yes", *arguments).returncode == 2


@pytest.mark.parametrize(
    "action", [["cancel"], ["retry"], ["delete"], ["move", "--to", "mail"]], ids=lambda each: each[0]
)
def test_a_dry_run_of_jobs_by_their_ids_is_refused_and_changes_nothing(
    queuectl: Queuectl, table: Table, action: list[str]
) -> None:
    queuectl("job", "enqueue", "email", "--delay", "1h")
    before = rows(table)

    refused = queuectl("job", *action, "1", "--dry-run", "--yes")

    assert (refused.returncode, "--dry-run" in refused.stderr) == (2, True)
    assert rows(table) == before


def test_an_operation_is_aborted(queuectl: Queuectl, table: Table) -> None:
    row = table.execute(
        "INSERT INTO riverrun_bulk (action, filter, wanted, actor, first_id, last_id, position)"
        " VALUES ('delete', 'kind:x', '{\"states\": []}', 'test', 1, 1000000000000, 0) RETURNING id"
    ).fetchone()
    assert row is not None

    aborted = queuectl.json("bulk", "abort", str(row["id"]))
    watched = queuectl("bulk", "watch", str(row["id"]))

    assert aborted["state"] == "aborted"
    assert watched.returncode == 9


def test_secrets_in_arguments_are_not_shown(queuectl: Queuectl) -> None:
    job_id = queuectl.json("job", "enqueue", "email", '{"to": "a", "api_key": "s3cret"}')["id"]

    shown = queuectl("job", "get", str(job_id), "-o", "json").stdout + queuectl("job", "list", "-o", "json").stdout

    assert "s3cret" not in shown
    assert '"api_key": "***"' in shown
