"""``queuectl bench`` as users run it: real executors, figures that add up, and nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from riverrun.job import JobState
from riverrun.settings.connection import url_from_conninfo
from support.eventually import eventually_sync

pytestmark = pytest.mark.timeout(120)


def queuectl(database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "riverrun_cli.main", "bench", *arguments],
        env={**os.environ, "DATABASE_URL": url_from_conninfo(database)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def measured(database: str, *arguments: str) -> dict[str, Any]:
    done = queuectl(database, *arguments, "-o", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows(database: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database, autocommit=True) as conn:
        return conn.execute(query.encode()).fetchall()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["single", "many", "copy"])
def test_enqueueing_is_measured_and_leaves_nothing(database: str, how: str) -> None:
    found = measured(database, "enqueue", "--how", how, "--jobs", "50", "--repeat", "2")

    assert found["mode"] == f"enqueue {how}"
    assert [run["jobs_per_second"] for run in found["runs"]] == [50 / run["seconds"] for run in found["runs"]]
    assert found["postgresql"]["synchronous_commit"] == "off"
    assert rows(database, "SELECT count(*) FROM river_job") == [(0,)]


@pytest.mark.slow
def test_two_executors_drain_the_queue_and_leave_nothing(database: str, tmp_path: Path) -> None:
    plot = tmp_path / "drain.svg"

    found = measured(database, "drain", "--jobs", "500", "--repeat", "1", "--processes", "2", "--plot", str(plot))

    assert found["processes"] == 2
    assert found["summary"]["jobs_per_second"]["median"] == 500 / found["runs"][0]["seconds"]
    assert found["summary"]["executor_mib"]["median"] > 10
    assert plot.read_text().startswith("<svg")
    for table in ("river_job", "river_queue", "riverrun_minute", "riverrun_executor"):
        assert rows(database, f"SELECT count(*) FROM {table}") == [(0,)], table


@pytest.mark.slow
def test_latency_has_its_percentiles_in_order(database: str) -> None:
    found = measured(database, "latency", "--jobs", "10", "--repeat", "1")

    run = found["runs"][0]
    assert 0 < run["p50_ms"] <= run["p95_ms"] <= run["p99_ms"] <= run["highest_ms"] < 5_000


@pytest.mark.slow
def test_sustained_work_finishes_no_more_than_was_enqueued(database: str) -> None:
    found = measured(database, "sustained", "--seconds", "1", "--repeat", "1")

    run = found["runs"][0]
    assert 0 < run["jobs_per_second"] <= run["enqueued_per_second"]


@pytest.mark.slow
def test_a_queue_with_other_jobs_is_refused_and_left_alone(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("INSERT INTO river_job (kind, args, queue) VALUES ('email', '{}', 'bench')")

    done = queuectl(database, "drain", "--jobs", "10")

    assert done.returncode == 4
    assert "queue bench holds jobs that are no measurement's" in done.stderr
    assert rows(database, "SELECT kind, state::text FROM river_job") == [("email", "available")]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_jobs_in_every_state_until_they_are_cleaned(database: str) -> None:
    query = "SELECT state::text, kind, args::text, priority, tags FROM river_job ORDER BY id"

    assert queuectl(database, "seed", "--jobs", "3000", "--seed", "7").returncode == 0
    first = rows(database, query)
    assert queuectl(database, "clean").returncode == 0
    assert rows(database, query) == []
    assert queuectl(database, "seed", "--jobs", "3000", "--seed", "7").returncode == 0

    assert rows(database, query) == first
    states = {row[0] for row in first}
    assert states == {str(state) for state in JobState}
    assert 2_400 < sum(row[0] == "completed" for row in first) < 2_580
    assert 240 < sum(row[0] == "available" for row in first) < 360


@pytest.mark.slow
def test_a_measurement_that_is_ended_from_outside_leaves_nothing(database: str) -> None:
    command = [sys.executable, "-m", "riverrun_cli.main", "bench", "sustained", "--seconds", "60", "--repeat", "1"]
    environment = {**os.environ, "DATABASE_URL": url_from_conninfo(database)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as measuring:
        working = "SELECT count(*) > 0 FROM river_job WHERE state = 'completed'"
        eventually_sync(lambda: rows(database, working) == [(True,)], within=40)
        measuring.terminate()
        assert measuring.wait(60) == 130

    assert rows(database, "SELECT count(*) FROM river_job") == [(0,)]
    assert rows(database, "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^riverrun/'") == [(0,)]
