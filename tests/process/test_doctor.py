"""``queuectl doctor`` as a process: its exit codes, and that it finds nothing wrong where nothing is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from support.contexts import settings_for
from support.eventually import eventually
from support.queuectl import Queuectl
from support.schedulers import running_scheduler


@pytest.fixture
def safe(database: str) -> Iterator[str]:
    """Give a database as it should be run: the tests' servers trade safety for speed."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("ALTER SYSTEM SET fsync = on")
        conn.execute("ALTER SYSTEM SET synchronous_commit = on")
        conn.execute("SELECT pg_reload_conf()")
        yield database
        conn.execute("ALTER SYSTEM RESET fsync")
        conn.execute("ALTER SYSTEM RESET synchronous_commit")
        conn.execute("SELECT pg_reload_conf()")


async def test_a_healthy_fleet_has_nothing_to_report(safe: str, tmp_path: Path) -> None:
    async with running_scheduler(settings_for(safe)):

        def leads() -> bool:
            with psycopg.connect(safe, autocommit=True) as conn:
                return bool(conn.execute("SELECT FROM riverrun_leader WHERE heartbeat_at IS NOT NULL").fetchall())

        await eventually(leads, within=10)
        done = await asyncio.to_thread(Queuectl(safe, tmp_path), "doctor", "-o", "json")

    assert (json.loads(done.stdout), done.stderr, done.returncode) == ([], "nothing is wrong\n", 0)


def test_each_finding_is_a_line_with_what_mends_it(safe: str, tmp_path: Path) -> None:
    done = Queuectl(safe, tmp_path)("doctor")

    assert done.returncode == 10
    head, *lines = done.stdout.splitlines()
    assert head.split("\t") == ["severity", "check", "finding", "mend"]
    (leader,) = lines
    assert leader.split("\t")[:2] == ["error", "leader"]
    assert "queuectl start" in leader.split("\t")[3]


def test_findings_are_said_in_the_language_that_is_asked_for(safe: str, tmp_path: Path) -> None:
    done = Queuectl(safe, tmp_path)("--lang", "zh", "doctor", "-o", "json")

    (leader,) = json.loads(done.stdout)
    assert leader == {
        "check": "leader",
        "severity": "error",
        "finding": "没有调度器担任主节点：不会提升、救援、定时入队或清理任务",
        "mend": "在角色包含调度器的主机上执行 queuectl start",
    }


def test_tables_of_no_release_end_the_examination(empty_database: str, tmp_path: Path) -> None:
    done = Queuectl(empty_database, tmp_path)("doctor", "-o", "json")
    found = {finding["check"]: finding for finding in json.loads(done.stdout)}

    assert done.returncode == 10
    assert "no Riverrun tables" in found["schema"]["finding"]
    assert found["schema"]["mend"].startswith("queuectl migrate up")
    assert "leader" not in found


def test_a_server_that_is_not_there_is_the_finding(database: str, tmp_path: Path) -> None:
    done = Queuectl(make_conninfo(database, host="/nowhere"), tmp_path)("doctor", "-o", "json")

    assert done.returncode == 10
    assert [finding["check"] for finding in json.loads(done.stdout)] == ["connection"]


def test_every_problem_of_the_configuration_is_a_finding(database: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("river: {workers: 0, queues: {mail: {processes: 100}}}\n")

    done = Queuectl(database, tmp_path)("doctor", "-o", "json")
    found = json.loads(done.stdout)

    assert (done.returncode, {finding["check"] for finding in found}) == (10, {"configuration"})
    assert len(found) == 2
    assert "river.workers" in found[0]["finding"]
