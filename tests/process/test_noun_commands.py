"""``queuectl queue | schedule | server | handler`` as processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from riverrun import Client
from riverrun.database.statements import Steps
from riverrun.store import handler_health, registry
from support.eventually import eventually_sync
from support.queries import Table
from support.queuectl import Queuectl


def test_a_queue_is_listed_paused_and_resumed(queuectl: Queuectl, table: Table) -> None:
    table.execute("INSERT INTO river_queue (name, created_at, updated_at) VALUES ('mail', now(), now())")
    queuectl("job", "enqueue", "email", "-q", "mail")

    paused = queuectl.json("queue", "pause", "mail")
    (listed,) = queuectl.json("queue", "ls")
    resumed = queuectl("queue", "resume", "*", "-o", "id")

    assert paused == [{"name": "mail", "paused": True}]
    assert (listed["name"], listed["paused"], listed["available"], listed["executors"]) == ("mail", True, 1, 0)
    assert resumed.stdout == "mail\n"
    assert queuectl.json("queue", "list")[0]["paused"] is False


def test_a_queue_is_described(queuectl: Queuectl, table: Table) -> None:
    table.execute("INSERT INTO river_queue (name) VALUES ('mail')")

    described = queuectl.json("queue", "describe", "mail", '{"owner": "team-a"}')

    assert described["metadata"] == {"owner": "team-a"}
    assert queuectl.json("queue", "get", "mail") == described
    assert queuectl.json("audit", "list")[0]["action"] == "queue.metadata"
    assert queuectl("queue", "describe", "mail", "[]").returncode == 4
    assert queuectl("server", "resign").returncode == 0


def test_a_queue_that_nobody_knows_is_not_found(queuectl: Queuectl) -> None:
    for verb in ("pause", "resume"):
        done = queuectl("queue", verb, "nobody")
        assert (done.returncode, done.stderr) == (3, "queue nobody does not exist\n")
        assert queuectl("queue", verb, "No Body").returncode == 4


def test_pausing_everything_needs_consent(queuectl: Queuectl, table: Table) -> None:
    table.execute("INSERT INTO river_queue (name, created_at, updated_at) VALUES ('mail', now(), now())")

    refused = queuectl("queue", "pause", "*")

    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    assert queuectl("queue", "pause", "*", "--yes").returncode == 0


def test_slots_are_set_and_reset_for_all_servers_or_one(queuectl: Queuectl, table: Table) -> None:
    queuectl("queue", "scale", "mail", "5")
    queuectl("queue", "scale", "mail", "7", "--server", "host-a")
    both = table.execute("SELECT server_id, max_workers FROM riverrun_queue_setting ORDER BY server_id").fetchall()
    queuectl("queue", "scale", "mail", "--reset")
    one = table.execute("SELECT server_id FROM riverrun_queue_setting").fetchall()

    assert both == [{"server_id": "", "max_workers": 5}, {"server_id": "host-a", "max_workers": 7}]
    assert one == [{"server_id": "host-a"}]


@pytest.mark.parametrize(
    ("arguments", "code", "name"),
    [
        (["mail", "0"], 4, "SLOTS"),
        (["mail", "10001"], 4, "SLOTS"),
        (["Mail", "1"], 4, "NAME"),
        (["mail", "1", "--server", "a b"], 4, "--server"),
        (["mail"], 2, "--reset"),
        (["mail", "1", "--reset"], 2, "--reset"),
        (["mail", "many"], 2, "SLOTS"),
    ],
)
def test_slots_that_cannot_be_are_refused(
    queuectl: Queuectl, table: Table, arguments: list[str], code: int, name: str
) -> None:
    done = queuectl("queue", "scale", *arguments)

    assert (done.returncode, name in done.stderr) == (code, True)
    assert table.execute("SELECT FROM riverrun_queue_setting").fetchall() == []


def test_a_schedule_is_made_shown_paused_run_and_deleted(queuectl: Queuectl, table: Table) -> None:
    made = queuectl.json(
        "schedule", "create", "nightly", "--kind", "report", "--cron", "30 4 * * *", "--timezone", "Asia/Shanghai",
        "--args", '{"full": true}', "-q", "mail", "--priority", "3", "--tag", "some-tag",
    )  # fmt: skip
    paused = queuectl.json("schedule", "pause", "nightly")
    resumed = queuectl.json("schedule", "resume", "nightly")
    ran = queuectl.json("schedule", "run", "nightly")

    assert (made["kind"], made["args"], made["next_tick"][10:]) == ("report", {"full": True}, "T20:30:00.000Z")
    assert (paused["paused"], paused["next_tick"], resumed["paused"]) == (True, None, False)
    job = table.execute("SELECT id, kind, args, queue, priority, tags FROM river_job").fetchone()
    assert job == {
        "id": ran["id"], "kind": "report", "args": {"full": True}, "queue": "mail", "priority": 3, "tags": ["some-tag"],
    }  # fmt: skip
    assert queuectl("schedule", "delete", "nightly").returncode == 2
    assert queuectl("schedule", "rm", "nightly", "--yes").returncode == 0
    assert queuectl.json("schedule", "list") == []
    assert queuectl("schedule", "get", "nightly").returncode == 3


def test_a_schedule_is_shown_without_what_is_hidden_of_its_arguments(queuectl: Queuectl) -> None:
    args = '{"n": 1, "password": "hunter2"}'

    made = queuectl.json("schedule", "create", "nightly", "--kind", "report", "--every", "1h", "--args", args)
    shown = [queuectl.json("schedule", "get", "nightly"), *queuectl.json("schedule", "list")]

    assert [each["args"] for each in (made, *shown)] == [{"n": 1, "password": "***"}] * 3


def test_a_schedule_can_start_at_once_and_have_unique_jobs(queuectl: Queuectl) -> None:
    made = queuectl.json(
        "schedule", "create", "hourly", "--kind", "report", "--every", "1h", "--run-on-start", "--unique-by-args",
        "--unique-by-period", "1d",
    )  # fmt: skip

    assert (made["run_on_start"], made["unique"]) == (True, {"by_args": True, "by_period_s": 86400.0})


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["x", "--kind", "report", "--cron", "@daily"], "NAME"),
        (["nightly", "--kind", "", "--cron", "@daily"], "--kind"),
        (["nightly", "--kind", "report", "--cron", "61 * * * *"], "--cron"),
        (["nightly", "--kind", "report"], "--cron"),
        (["nightly", "--kind", "report", "--every", "0.1s"], "--every"),
        (["nightly", "--kind", "report", "--cron", "@daily", "--timezone", "Mars"], "--timezone"),
        (["nightly", "--kind", "report", "--cron", "@daily", "--args", "[]"], "--args"),
        (["nightly", "--kind", "report", "--cron", "@daily", "--priority", "10"], "--priority"),
        (["nightly", "--kind", "report", "--cron", "@daily", "--missed", "never"], "--missed"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(
    queuectl: Queuectl, table: Table, arguments: list[str], name: str
) -> None:
    done = queuectl("schedule", "create", *arguments)

    assert (done.returncode, done.stderr.startswith(f"{name}: ")) == (4, True), done.stderr
    assert table.execute("SELECT FROM riverrun_schedule").fetchall() == []


def test_the_next_ticks_are_shown_without_a_database(tmp_path: Path) -> None:
    queuectl = Queuectl("host=/nowhere dbname=none", tmp_path)

    done = queuectl("schedule", "next", "0 9 * * 1", "-n", "2", "--tz", "Asia/Shanghai", "-o", "json")

    ticks = json.loads(done.stdout)
    assert [tick["local"][10:] for tick in ticks] == ["T09:00:00+08:00"] * 2
    assert queuectl("schedule", "next", "61 * * * *").stderr.startswith("EXPR: ")


def test_servers_are_listed(queuectl: Queuectl, table: Table) -> None:
    table.execute(
        "INSERT INTO riverrun_server (server_id, host, pid, version, roles)"
        " VALUES ('host-a', 'host-a.example', 7, '0.1.0', '{scheduler}')"
    )

    (listed,) = queuectl.json("server", "list")

    assert (listed["server_id"], listed["alive"], listed["roles"]) == ("host-a", True, ["scheduler"])
    assert queuectl("server", "ls", "-o", "id").stdout == "host-a\n"


def test_a_handler_is_registered_changed_and_deleted(queuectl: Queuectl) -> None:
    register = ["handler", "register", "fax", "--type", "http", "--url", "http://localhost:8080/handle"]

    first = queuectl.json(*register)
    again = queuectl.json(*register)
    other = queuectl(*register, "--timeout", "5")
    replaced = queuectl.json(*register, "--timeout", "5", "--replace")
    updated = queuectl.json("handler", "update", "fax", "--retries", "2")

    assert (first["created"], again["created"], other.returncode) == (True, False, 4)
    assert (replaced["timeout"], updated["timeout"], updated["retries"]) == (5.0, 5.0, 2)
    assert [handler["kind"] for handler in queuectl.json("handler", "list")] == ["fax"]
    assert queuectl("handler", "update", "fax").returncode == 2
    assert queuectl("handler", "delete", "fax").returncode == 2
    assert queuectl("handler", "rm", "fax", "--yes").returncode == 0
    assert queuectl("handler", "get", "fax").returncode == 3


def test_a_kind_that_was_paused_for_its_crashes_is_resumed(queuectl: Queuectl, table: Table) -> None:
    queuectl("handler", "register", "fax", "--type", "http", "--url", "http://localhost:8080/handle")
    table.execute("UPDATE riverrun_handler SET paused_at = now()")
    paused = queuectl.json("handler", "get", "fax")

    resumed = queuectl.json("handler", "resume", "fax")

    assert paused["paused_at"] is not None
    assert resumed["paused_at"] is None
    assert resumed["revision"] > paused["revision"]
    assert queuectl.json("handler", "resume", "fax") == resumed
    assert queuectl("handler", "resume", "nobody").returncode == 3


@pytest.mark.parametrize(
    ("learnt", "state", "reason"),
    [
        ([lambda: handler_health.open_breaker("fax", "nobody listens")], "open", "nobody listens"),
        ([lambda: handler_health.throttle("fax", timedelta(minutes=5))], "throttled", ""),
        ([lambda: handler_health.flag("fax", "HTTP 404 from http://fax")], "misconfigured", "HTTP 404 from http://fax"),
        ([lambda: registry.pause("fax", reason="it is gone")], "paused", "it is gone"),
        ([], "ok", ""),
    ],
    ids=["open", "throttled", "misconfigured", "paused", "ok"],
)
def test_how_a_service_is_stands_in_the_list_of_handlers(
    queuectl: Queuectl, database: str, learnt: list[Callable[[], Steps[bool]]], state: str, reason: str
) -> None:
    queuectl("handler", "register", "fax", "--type", "http", "--url", "http://localhost:8080/handle")
    with Client(database) as client:
        for each in learnt:
            client.run(each())

    (listed,) = queuectl.json("handler", "list")
    table = queuectl("handler", "list").stdout

    assert (listed["state"], listed["reason"]) == (state, reason)
    assert state in table
    assert reason in table


def test_a_service_that_is_being_tried_is_half_open(queuectl: Queuectl, database: str, table: Table) -> None:
    queuectl("handler", "register", "fax", "--type", "http", "--url", "http://localhost:8080/handle")
    with Client(database) as client:
        client.run(handler_health.open_breaker("fax", "nobody listens"))
        table.execute("UPDATE riverrun_handler_health SET probe_at = now()")
        client.run(handler_health.take_probe("fax"))

    assert queuectl.json("handler", "get", "fax")["state"] == "half_open"


def test_a_handler_gets_a_new_secret_that_is_shown_once(queuectl: Queuectl, table: Table) -> None:
    first = queuectl.json("handler", "register", "fax", "--type", "http", "--url", "http://localhost:8080/handle")

    rotated = queuectl.json("handler", "rotate-secret", "fax", "--keep", "60")

    query = "SELECT signing_secret, previous_secret FROM riverrun_handler"
    kept = {"signing_secret": rotated["signing_secret"], "previous_secret": first["signing_secret"]}
    assert table.execute(query).fetchall() == [kept]
    assert rotated["signing_secret"] not in queuectl("handler", "get", "fax", "-o", "json").stdout
    assert queuectl("handler", "rotate-secret", "nobody").returncode == 3


def test_a_trial_of_a_handler_is_refused_while_it_is_paused_and_waits_for_an_executor(queuectl: Queuectl) -> None:
    queuectl("handler", "register", "fax", "--type", "http", "--url", "http://localhost:8080/handle")
    paused = queuectl.json("handler", "pause", "fax")

    refused = queuectl("handler", "test", "fax", '{"to": "a"}')
    queuectl("handler", "resume", "fax")
    waiting = queuectl("handler", "test", "fax", '{"to": "a"}', "--wait", "0", "-o", "json")

    assert paused["state"] == "paused"
    assert (refused.returncode, "resume it first" in refused.stderr) == (4, True)
    tried = json.loads(waiting.stdout)
    assert (tried["state"], tried["error"]) == ("available", None)
    assert (waiting.returncode, f"job {tried['id']} has not ended within 0 s" in waiting.stderr) == (7, True)
    (job,) = queuectl.json("job", "list")
    assert (job["kind"], job["max_attempts"]) == ("fax", 1)


@pytest.mark.parametrize(("state", "code"), [("completed", 0), ("discarded", 8)])
def test_the_exit_code_of_a_trial_says_whether_it_completed(
    queuectl: Queuectl, table: Table, state: str, code: int
) -> None:
    queuectl("handler", "register", "fax", "--type", "http", "--url", "http://localhost:8080/handle")
    with ThreadPoolExecutor(1) as thread:
        trial = thread.submit(queuectl, "handler", "test", "fax", "--wait", "20")
        end = "UPDATE river_job SET state = %s::text::river_job_state, finalized_at = now() RETURNING id"
        eventually_sync(lambda: table.execute(end, [state]).fetchall() != [], within=10)

        done = trial.result()

    assert (done.returncode, state in done.stdout) == (code, True)


@pytest.mark.parametrize("option", ["--url", "--health-url", "--cancel-url"])
def test_a_service_outside_the_configured_networks_is_refused(
    queuectl: Queuectl, table: Table, tmp_path: Path, option: str
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("handlers: {egress: [127.0.0.0/8]}\n")
    inside = ["--type", "http", "--url", "http://127.0.0.1:8080/handle", "--config", str(config)]
    queuectl("handler", "register", "fax", *inside)

    outside = [option, "http://192.0.2.1/handle"]
    registered = queuectl("handler", "register", "telex", *inside, *outside)
    updated = queuectl("handler", "update", "fax", "--config", str(config), *outside)

    for done in (registered, updated):
        assert (done.returncode, "handlers.egress" in done.stderr) == (4, True), done.stderr
    (kept,) = table.execute("SELECT kind, endpoint_url FROM riverrun_handler").fetchall()
    assert kept == {"kind": "fax", "endpoint_url": "http://127.0.0.1:8080/handle"}


def test_a_handler_that_jobs_need_is_deleted_only_by_force(queuectl: Queuectl) -> None:
    queuectl("handler", "register", "fax", "--type", "http", "--url", "http://localhost:8080/handle")
    queuectl("job", "enqueue", "fax")

    refused = queuectl("handler", "delete", "fax", "--yes")

    assert (refused.returncode, "1 unfinished job" in refused.stderr) == (4, True)
    assert queuectl("handler", "delete", "fax", "--yes", "--force").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["f", "--type", "local"], "KIND"),
        (["fax", "--type", "carrier-pigeon"], "--type"),
        (["fax", "--type", "http"], "--url"),
        (["fax", "--type", "http", "--url", "ftp://x"], "--url"),
        (["fax", "--type", "local", "--name", "os.system"], "--name"),
        (["fax", "--type", "local", "--timeout", "-1"], "--timeout"),
        (["fax", "--type", "local", "--retries", "-1"], "--retries"),
    ],
)
def test_a_handler_that_cannot_be_is_refused(queuectl: Queuectl, table: Table, arguments: list[str], name: str) -> None:
    done = queuectl("handler", "register", *arguments)

    assert (done.returncode, done.stderr.startswith(f"{name}: ")) == (4, True), done.stderr
    assert table.execute("SELECT FROM riverrun_handler").fetchall() == []
