"""A database that has no room left, is rebuilt while it works, or counts to its end."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from fault.checker import LAST_ATTEMPT, Promise
from fault.lab import Lab, size
from riverrun import Client
from riverrun.errors import RiverrunError
from support.eventually import eventually_sync

LAST_ID = 2**63 - 1
UPKEEP = (
    "VACUUM FULL river_job",
    "REINDEX TABLE river_job",
    "REINDEX TABLE CONCURRENTLY river_job",
    "VACUUM river_job",
)


def test_a_database_without_room_is_waited_for(own_lab: Lab) -> None:
    """D14: the disk of the jobs is full for a while."""
    if reason := _no_disk():
        pytest.skip(reason)
    hosts = own_lab.hosts("a", "b")
    with _small_disk(own_lab) as disk:
        with own_lab.producer(rate=40, args=lambda n: {"ms": 50, "x": "y" * 2_000}):
            own_lab.works_again()
            filler = disk / "filler"
            _fill(filler)
            eventually_sync(lambda: _is_full(own_lab), within=60, every=0.2)
            time.sleep(size(4, 60))
            filler.unlink()
            healed = time.time()
            resumed = own_lab.works_again() - healed
            time.sleep(1)
        own_lab.settle()

        witnessed = own_lab.conclude(
            "D14", f"no room for jobs for {size(4, 60)} s", seen_after=[resumed], target=5.0,
            note="seen: first job after there is room",
        )  # fmt: skip
        assert not witnessed.rescues()
        assert [child["restarts"] for host in hosts for child in host.status()["children"]] == [0] * 6
        own_lab.fleet.close()


def test_a_table_that_is_rebuilt_under_load_only_makes_jobs_wait(lab: Lab) -> None:
    """D18: the table of the jobs is vacuumed in full and its indexes are built anew, again and again."""
    lab.hosts("a", "b")
    seen: list[float] = []
    with lab.producer(rate=size(60, 300), args=lambda n: {"ms": n % 5 * 20}):
        lab.works_again()
        for turn in range(size(4, 60)):
            at = time.time()
            lab.rows(UPKEEP[turn % len(UPKEEP)])
            seen.append(lab.works_again() - at)
            time.sleep(0.5)
    lab.settle()

    witnessed = lab.conclude(
        "D18", f"table rebuilt {len(seen)} times", seen_after=seen, target=3.0,
        note="seen: first job after it, from its begin",
    )  # fmt: skip
    assert not witnessed.rescues()


@pytest.mark.quick
def test_ids_and_attempts_count_to_their_very_end(lab: Lab) -> None:
    """D19: ids pass the end of 32 and come to the end of 64 bits; attempts come to the end of 16."""
    (host,) = lab.hosts("a")
    with psycopg.connect(lab.database, autocommit=True) as conn:
        conn.execute("SELECT setval('river_job_id_seq', %s)", (2**31 - 4,))
        lab.producer().enqueue(8)
        conn.execute("SELECT setval('river_job_id_seq', %s)", (LAST_ID - 3,))
        lab.producer().enqueue(3)
        with Client(lab.database) as client, pytest.raises(RiverrunError, match="reached maximum value"):
            client.enqueue("work", {})
        conn.execute("SELECT setval('river_job_id_seq', 1)")
        for attempt in (LAST_ATTEMPT - 1, LAST_ATTEMPT):
            conn.execute(
                "INSERT INTO river_job (kind, args, attempt, max_attempts) VALUES ('failing', '{}', %s, %s)",
                (attempt, LAST_ATTEMPT),
            )
        lab.producer().enqueue(5)
    lab.settle()

    lab.conclude("D19", "ids to 2^63-1, attempts to 32,767", promise=Promise(ends={"failing": "discarded"}))
    assert lab.rows("SELECT count(*), max(id) FROM river_job WHERE kind = 'work'") == [(16, LAST_ID)]
    assert lab.rows("SELECT DISTINCT state::text, attempt FROM river_job WHERE kind = 'failing'") == [
        ("discarded", LAST_ATTEMPT)
    ]
    assert host.child("executor")["restarts"] == 0


@contextmanager
def _small_disk(lab: Lab) -> Iterator[Path]:
    """Move the jobs to a disk of their own, of 48 MB."""
    disk = lab.server.home / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,mode=0777", "none", str(disk)], check=True, timeout=10)
    try:
        lab.server.own(disk / "space")
        lab.server.execute(f"CREATE TABLESPACE small LOCATION '{disk / 'space'}'")
        for relation in ("TABLE river_job", "INDEX river_job_pkey", "INDEX riverrun_job_live_index"):
            lab.rows(f"ALTER {relation} SET TABLESPACE small")
        yield disk
    finally:
        lab.server.stop()
        subprocess.run(["umount", str(disk)], check=True, timeout=10)


def _fill(filler: Path) -> None:
    """Leave no room."""
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            return


def _is_full(lab: Lab) -> bool:
    try:
        lab.rows(
            "INSERT INTO river_job (kind, args) SELECT 'work', jsonb_build_object('x', repeat('y', 9000)) RETURNING 1"
        )
    except psycopg.errors.DiskFull:
        return True
    return False


def _no_disk() -> str | None:
    return None if os.geteuid() == 0 else "a disk of its own needs root"
