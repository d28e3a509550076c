"""Health, readiness and metrics; the database gone and back; the port taken; a stop."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from support.admin import Admin, running_admin
from support.eventually import eventually
from support.ports import free_port
from support.queries import value


async def test_a_server_with_its_database_lives_and_is_ready(admin: Admin) -> None:
    async def is_ready() -> bool:
        return (await admin.get("/readyz")).status == 200

    await eventually(is_ready, within=5.0)
    assert (await admin.get("/healthz")).json == {"status": "ok"}


async def test_a_server_that_drains_is_not_ready(admin: Admin) -> None:
    admin.context.draining.set()

    answer = await admin.get("/readyz", headers={"Connection": "close"})

    assert (answer.status, answer.json["code"]) == (503, "draining")


async def test_without_its_database_a_server_says_so_and_recovers(database: str) -> None:
    name = sql.Identifier(str(conninfo_to_dict(database)["dbname"]))
    async with (
        await AsyncConnection.connect(database, dbname="postgres", autocommit=True) as other,
        running_admin(database) as admin,
    ):
        assert (await admin.enqueue()).status == 201
        await other.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        await other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            (conninfo_to_dict(database)["dbname"],),
        )
        started = time.monotonic()

        refused = await admin.enqueue()
        page = await admin.page("/admin/queue/dashboard")
        ready = await admin.get("/readyz")
        healthy = await admin.get("/healthz")
        metrics = await admin.get("/metrics")

        assert time.monotonic() - started < 9
        assert (refused.status, refused.json["code"]) == (503, "database-unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        assert (page.status, ready.status, healthy.status, metrics.status) == (503, 503, 200, 200)
        await other.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))

        async def works_again() -> bool:
            return (await admin.enqueue()).status == 201

        await eventually(works_again, within=10.0)


async def test_a_server_starts_without_a_database(database: str) -> None:
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    async with running_admin(nowhere) as admin:
        answer = await admin.get("/admin/queue/stats")

        assert (await admin.get("/healthz")).status == 200
        assert (answer.status, answer.json["code"]) == (503, "database-unavailable")


async def test_a_query_that_takes_too_long_is_ended(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    async with conn.transaction():
        await conn.execute("LOCK TABLE river_job IN ACCESS EXCLUSIVE MODE")

        answer = await admin.get("/admin/queue/jobs")

    assert (answer.status, answer.json["code"]) == (503, "query-timeout")
    assert (await admin.get("/admin/queue/jobs")).status == 200


async def test_metrics_count_requests_by_route_and_never_by_path(admin: Admin) -> None:
    await admin.get("/admin/queue/jobs/123456789")
    await admin.request("BREW", "/admin/queue/jobs")
    await admin.get("/admin/nothing/at/all")

    answer = await admin.get("/metrics")

    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    counted = {
        (sample.labels["method"], sample.labels["route"], sample.labels["code"])
        for sample in families["riverrun_admin_http_requests"].samples
        if sample.name.endswith("_total")
    }
    assert ("GET", "/admin/queue/jobs/{job_id}", "404") in counted
    assert ("GET", "_unknown", "404") in counted
    assert not [labels for labels in counted if "123456789" in labels[1] or "BREW" in labels]


async def test_an_idle_server_asks_the_database_nothing(admin: Admin, conn: AsyncConnection[TupleRow]) -> None:
    async def is_checked() -> bool:
        return (await admin.get("/readyz")).status == 200

    await eventually(is_checked, within=5.0)
    query = (
        "SELECT coalesce(max(extract(epoch FROM query_start)), 0)::float8 FROM pg_stat_activity"
        " WHERE application_name = 'riverrun/admin'"
    )
    before = await value(conn, query)

    await asyncio.sleep(1.5)  # the point is that nothing happens meanwhile

    assert await value(conn, query) == before


async def _start(dsn: str, folder: Path, port: int) -> asyncio.subprocess.Process:
    parts = conninfo_to_dict(dsn)
    config = folder / "config.yaml"
    config.write_text(
        f"server_id: test\nadmin: {{port: {port}}}\n"
        f"postgresql: {{host: '{parts['host']}', username: '{parts['user']}', min_conns: 1,"
        f" database: '{parts['dbname']}'}}\n"
    )
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("RIVERRUN", "DATABASE"))}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "riverrun_admin", "--config", str(config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment, cwd=folder,
    )  # fmt: skip


async def test_a_port_that_is_taken_is_named_with_the_setting(database: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        process = await _start(database, tmp_path, port)
        output, _ = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 1
    for word in (str(port), "admin.port", "xxl-job"):
        assert word in output.decode()
    assert "Traceback" not in output.decode()


async def test_tables_of_another_release_end_the_process(empty_database: str, tmp_path: Path) -> None:
    process = await _start(empty_database, tmp_path, free_port())
    output, _ = await asyncio.wait_for(process.communicate(), 20)

    assert process.returncode == 6
    assert "queuectl migrate up" in output.decode()


async def test_a_stop_lets_requests_end(database: str, tmp_path: Path) -> None:
    port = free_port()
    process = await _start(database, tmp_path, port)

    async def listens() -> bool:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True

    await eventually(listens, within=20.0)

    process.terminate()
    await asyncio.wait_for(process.communicate(), 15)

    assert process.returncode == 0
