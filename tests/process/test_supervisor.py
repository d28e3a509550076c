"""The daemon with real processes: what signals, deaths and bad configurations do to it, and what they leave behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from riverrun.control import ask
from riverrun.errors import RiverrunError
from riverrun.settings.connection import url_from_conninfo
from support.daemons import SERVER_ID, Daemon, lives
from support.eventually import eventually


async def test_the_daemon_shows_its_processes_and_its_lease(daemon: Daemon) -> None:
    daemon.configure("queues: {mail: {max_workers: 5, processes: 2}}")

    await (await daemon.start()).ready()

    assert list(daemon.children()) == ["scheduler", "executor mail/0", "executor mail/1", "admin"]
    assert {child["state"] for child in daemon.children().values()} == {"running"}
    await eventually(
        lambda: daemon.fetch("SELECT queue, slots FROM riverrun_executor ORDER BY slots") == [("mail", 2), ("mail", 3)],
        within=5,
    )
    assert daemon.fetch("SELECT server_id, roles FROM riverrun_server") == [
        (SERVER_ID, ["scheduler", "executor", "admin"])
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_everything_and_leaves_no_lease(daemon: Daemon, number: signal.Signals) -> None:
    await (await daemon.start()).ready()
    pids = daemon.pids()

    daemon.send(number)

    assert await daemon.end() == 0
    assert not any(map(lives, pids.values()))
    assert daemon.fetch("SELECT 1 FROM riverrun_executor UNION ALL SELECT 1 FROM riverrun_server") == []
    assert "Traceback" not in daemon.said


async def test_ctrl_c_of_a_terminal_drains_and_does_not_hurry(daemon: Daemon) -> None:
    await (await daemon.start()).ready()
    assert daemon.process is not None

    os.killpg(daemon.process.pid, signal.SIGINT)

    assert await daemon.end() == 0
    assert "hurrying" not in daemon.said
    assert "Traceback" not in daemon.said


async def test_a_second_signal_does_not_wait_for_running_jobs(daemon: Daemon) -> None:
    daemon.configure("queues: {stuck: {}}")
    daemon.config.write_text(daemon.config.read_text().replace("shutdown_wait: 1s", "shutdown_wait: 1h"))
    await (await daemon.start()).ready()

    daemon.send(signal.SIGTERM)
    await eventually(lambda: daemon.children()["executor stuck/0"]["state"] == "draining", within=5)
    daemon.send(signal.SIGTERM)

    assert await daemon.end() == 0


async def test_the_lease_is_renewed_until_the_last_executor_is_gone(daemon: Daemon) -> None:
    daemon.configure("queues: {stuck: {}}")
    await (await daemon.start()).ready()
    query = "SELECT lease_until > now() + interval '7 seconds' FROM riverrun_executor"

    daemon.send(signal.SIGTERM)
    await asyncio.sleep(4)  # longer than a lease would need to fall below seven seconds

    assert daemon.fetch(query) == [(True,)]
    assert list(daemon.children()) == ["scheduler", "executor stuck/0", "admin"]
    assert await daemon.end() == 0


async def test_a_process_that_obeys_nothing_is_killed(daemon: Daemon) -> None:
    daemon.configure("queues: {deaf: {}}")
    await (await daemon.start()).ready()
    daemon.send(signal.SIGTERM)
    daemon.send(signal.SIGTERM)

    assert await daemon.end(within=20) == 0
    assert "child_killed" in daemon.said


async def test_a_killed_child_is_restarted_and_its_jobs_are_taken_back(daemon: Daemon) -> None:
    await (await daemon.start()).ready()
    await eventually(lambda: daemon.fetch("SELECT incarnation FROM riverrun_executor"), within=5)
    [(incarnation,)] = daemon.fetch("SELECT incarnation FROM riverrun_executor")
    for job in ("plain", "last", "cancelled", "again"):
        daemon.execute(RUNNING_JOB, job, 3 if job == "last" else 1, METADATA.get(job, "{}"), incarnation)
    pid = daemon.pids()["executor mail/0"]

    os.kill(pid, signal.SIGKILL)

    await eventually(lambda: daemon.fetch("SELECT 1 FROM river_job WHERE state = 'running'") == [], within=2)
    await eventually(lambda: daemon.children()["executor mail/0"]["state"] == "running", within=10)
    assert daemon.children()["executor mail/0"]["last_exit"].startswith("was killed by SIGKILL")
    rows = daemon.fetch(RESCUED_JOBS)
    assert [row[:4] for row in rows] == [
        ("again", "pending", 0, 2),
        ("cancelled", "cancelled", 1, 1),
        ("last", "available", 2, 1),
        ("plain", "available", 0, 1),
    ]
    reasons = [row[4] and row[4].partition(":")[0] for row in rows]
    assert reasons == ["executor died", "executor died", None, None]
    assert daemon.fetch(f"SELECT 1 FROM riverrun_executor WHERE incarnation = '{incarnation}'") == []


async def test_the_jobs_of_a_killed_daemon_are_taken_back_when_it_returns(daemon: Daemon) -> None:
    await (await daemon.start()).ready()
    await eventually(lambda: daemon.fetch("SELECT incarnation FROM riverrun_executor"), within=5)
    [(incarnation,)] = daemon.fetch("SELECT incarnation FROM riverrun_executor")
    daemon.execute(RUNNING_JOB, "plain", 1, "{}", incarnation)
    pids = daemon.pids()

    daemon.send(signal.SIGKILL)
    await daemon.end()
    await eventually(lambda: not any(map(lives, pids.values())), within=3)
    await daemon.start()

    await eventually(lambda: daemon.fetch("SELECT state::text FROM river_job") == [("retryable",)], within=6)


async def test_a_crash_loop_is_reported_and_the_others_run_on(daemon: Daemon) -> None:
    daemon.configure("queues: {mail: {}, crash: {}}")
    await daemon.start()

    await eventually(lambda: daemon.children()["executor crash/0"]["crash_looping"], within=45)

    await eventually(lambda: daemon.status()["state"] == "incomplete", within=5)
    assert "child_crash_looping" in daemon.said
    assert daemon.logged("daemon_ready") == []
    assert daemon.children()["executor mail/0"]["state"] == "running"
    assert daemon.children()["executor mail/0"]["restarts"] == 0
    await eventually(
        lambda: 'riverrun_process_restarts_total{name="executor crash/0",role="executor"}' in metrics(daemon), within=5
    )


async def test_the_daemon_is_ready_only_when_its_admin_process_can_listen(daemon: Daemon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon.configure("queues: {mail: {}}", f"admin: {{port: {port}}}\n")
        await daemon.start(module="riverrun_supervisor")
        await eventually(lambda: daemon.status()["state"] == "incomplete", within=45)

        assert [line["failing"] for line in daemon.logged("daemon_incomplete")] == ["admin"]
        assert {line["port"] for line in daemon.logged("admin_not_listening")} == {port}
        assert daemon.logged("daemon_ready") == []

    await eventually(lambda: daemon.status()["state"] == "ready", within=45)
    assert [line["children"] for line in daemon.logged("daemon_ready")] == [3]


async def test_a_child_that_cannot_use_the_configuration_ends_the_start(daemon: Daemon) -> None:
    daemon.configure("queues: {mail: {}, config: {}}")
    await daemon.start()

    assert await daemon.end() == 2
    assert "nothing of that name" in daemon.said


async def test_a_reload_changes_only_what_the_configuration_changed(daemon: Daemon) -> None:
    daemon.configure("queues: {mail: {}, web: {}, old: {}}")
    await (await daemon.start()).ready()
    before = daemon.pids()

    daemon.configure("queues: {mail: {max_workers: 3}, web: {}, new: {}}")
    daemon.send(signal.SIGHUP)

    await eventually(lambda: running(daemon) >= {"executor mail/0", "executor new/0"}, within=15)
    await eventually(lambda: "executor old/0" not in daemon.children(), within=5)
    after = daemon.pids()
    assert after["executor web/0"] == before["executor web/0"]
    assert after["executor mail/0"] != before["executor mail/0"]
    assert daemon.children()["executor mail/0"]["slots"] == 3
    assert daemon.children()["executor mail/0"]["restarts"] == 0


async def test_a_reload_of_schedules_leaves_executors_and_admin_alone(daemon: Daemon) -> None:
    await (await daemon.start()).ready()
    before = daemon.pids()

    daemon.configure("queues: {mail: {}}", "schedules: {tick: {task_type: email, cron: '* * * * *'}}\n")
    ask(SERVER_ID, "reload")

    await eventually(lambda: daemon.pids()["scheduler"] not in (None, before["scheduler"]), within=10)
    assert daemon.pids()["executor mail/0"] == before["executor mail/0"]
    assert daemon.pids()["admin"] == before["admin"]


async def test_a_reload_of_nonsense_names_every_problem_and_changes_nothing(daemon: Daemon) -> None:
    await (await daemon.start()).ready()
    before = daemon.pids()
    daemon.configure("workers: none, queues: {mail: {max_worker: 3}}")

    with pytest.raises(RiverrunError, match=r"the old configuration stays in use: .*river\.workers"):
        ask(SERVER_ID, "reload")
    daemon.send(signal.SIGHUP)

    await eventually(lambda: daemon.said.count("max_worker") >= 2, within=5)
    assert daemon.pids() == before


async def test_drained_executors_stay_away_until_the_next_reload(daemon: Daemon) -> None:
    await (await daemon.start()).ready()

    ask(SERVER_ID, "drain")
    await eventually(lambda: list(daemon.children()) == ["scheduler", "admin"], within=5)
    ask(SERVER_ID, "reload")

    await eventually(lambda: "executor mail/0" in running(daemon), within=10)


async def test_a_stop_during_the_start_leaves_nothing_behind(daemon: Daemon) -> None:
    await daemon.start()
    await eventually(lambda: "child_started" in daemon.said, within=10)

    daemon.send(signal.SIGTERM)

    assert await daemon.end() in (0, -signal.SIGTERM)
    assert "Traceback" not in daemon.said


async def test_a_stop_while_the_database_is_away_ends_at_once(daemon: Daemon) -> None:
    daemon.database = "postgresql:///?host=/nonexistent&user=nobody&dbname=nothing"
    await daemon.start()
    await eventually(lambda: "database_not_reached" in daemon.said, within=10)

    daemon.send(signal.SIGTERM)

    assert await daemon.end(within=3) == 0
    assert "Traceback" not in daemon.said


async def test_two_daemons_of_one_name_do_not_run_on_a_host(daemon: Daemon, database: str) -> None:
    await (await daemon.start()).ready()
    second = Daemon(daemon.folder, daemon.database)
    second.output = daemon.folder / "second"

    await second.start()

    assert await second.end() == 1
    assert "runs on this host already" in second.said
    assert daemon.status()["state"] == "ready"


async def test_two_daemons_of_one_name_do_not_run_in_a_fleet(daemon: Daemon) -> None:
    await (await daemon.start()).ready()
    second = Daemon(daemon.folder, daemon.database)
    second.output = daemon.folder / "second"

    await second.start(RUNTIME_DIRECTORY=str(daemon.folder / "elsewhere"))

    assert await second.end() == 1
    assert f"server_id {SERVER_ID} is in use" in second.said


async def test_missing_tables_end_the_start_with_the_command_to_run(folder: Path, empty_database: str) -> None:
    daemon = Daemon(folder, url_from_conninfo(empty_database))
    daemon.configure("queues: {mail: {}}")
    await daemon.start()

    assert await daemon.end() == 6
    assert "queuectl migrate up" in daemon.said
    assert "child_started" not in daemon.said


async def test_an_insert_reaches_the_executors_of_its_queue(daemon: Daemon) -> None:
    daemon.configure("queues: {mail: {}, web: {}}")
    await (await daemon.start()).ready()
    await eventually(lambda: '"listening"' in daemon.said, within=5)

    daemon.execute("SELECT pg_notify('public.river_insert', '{\"queue\": \"mail\"}')")
    daemon.execute("SELECT pg_notify('public.river_insert', 'nonsense')")

    await eventually(lambda: 'riverrun_fetch_jobs_count{queue="mail"} 1.0' in metrics(daemon), within=5)
    await eventually(lambda: 'riverrun_notify_received_total{channel="river_insert"} 2.0' in metrics(daemon), within=5)


async def test_a_lost_listener_comes_back_and_wakes_everybody(daemon: Daemon) -> None:
    await (await daemon.start()).ready()
    await eventually(lambda: 'riverrun_fetch_jobs_count{queue="*"} 1.0' in metrics(daemon), within=5)

    daemon.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'riverrun/supervisor/listen'"
    )

    await eventually(lambda: 'riverrun_fetch_jobs_count{queue="*"} 2.0' in metrics(daemon), within=10)
    await eventually(lambda: "riverrun_notify_reconnects_total 1.0" in metrics(daemon), within=5)


async def test_poll_only_opens_no_listener(daemon: Daemon) -> None:
    daemon.configure("poll_only: true, queues: {mail: {}}")

    await (await daemon.start()).ready()

    names = daemon.fetch("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'riverrun/%'")
    assert names == [("riverrun/supervisor/lease",)]


async def test_queuectl_shows_reloads_drains_and_stops_the_daemon(daemon: Daemon) -> None:
    await (await daemon.start()).ready()

    assert (await queuectl("status", "-o", "json", config=daemon.config))[1].count('"running"') == 3
    assert (await queuectl("drain", config=daemon.config))[0] == 0
    assert (await queuectl("reload", config=daemon.config))[0] == 0
    assert (await queuectl("stop", config=daemon.config))[0] == 0

    assert await daemon.end() == 0
    assert (await queuectl("status", config=daemon.config))[0] == 3


@pytest.mark.parametrize(
    ("options", "river", "code", "said"),
    [
        (["--role", "executor"], "enable: false", 0, "nothing_to_run"),
        (["--role", "worker"], "enable: true", 2, "worker"),
        (["--queue", "web"], "queues: {mail: {}}", 2, "expected one of river.queues: mail"),
        ([], "workers: none, poll: 1", 2, "river.workers"),
    ],
)
async def test_queuectl_start_checks_everything_before_it_starts_anything(
    folder: Path, options: list[str], river: str, code: int, said: str
) -> None:
    config = folder / "config.yaml"
    config.write_text(f"database_url: postgres://nobody@localhost/nothing\nriver: {{{river}}}\n")

    ended, output = await queuectl("start", *options, config=config)

    assert (ended, said in output) == (code, True), output
    assert not (folder / "run").exists()


async def queuectl(command: str, *options: str, config: Path) -> tuple[int | None, str]:
    """Run the command line and return its exit code and all that it wrote."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "riverrun_cli.main", command, "--config", str(config), *options,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, output.decode()


def running(daemon: Daemon) -> set[str]:
    return {name for name, child in daemon.children().items() if child["state"] == "running"}


def metrics(daemon: Daemon) -> str:
    """What the admin process of the tests was last answered."""
    return (daemon.folder / "metrics").read_text()


METADATA = {
    "cancelled": '{"cancel_attempted_at": "2026-01-01T00:00:00Z"}',
    "again": '{"riverrun:crashes": 1}',
}
RUNNING_JOB = """
    INSERT INTO river_job (kind, args, queue, state, attempt, max_attempts, metadata, attempted_at, attempted_by)
    VALUES (%s, '{}', 'mail', 'running', %s, 3, %s, now(), ARRAY['another', %s])
"""
RESCUED_JOBS = """
    SELECT kind, state::text, attempt, (metadata ->> 'riverrun:crashes')::int, errors[1] ->> 'error'
    FROM river_job ORDER BY kind
"""


def test_the_supervisor_needs_no_web_server_and_no_grpc() -> None:
    code = "import sys, riverrun_supervisor.main; print(sorted({'aiohttp', 'grpc'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)

    assert done.stdout.strip() == "[]"
