"""The server is lost and its standby takes its place; there are two that believe to be it; or a standby is asked."""

from __future__ import annotations

import time

import psycopg

from fault.checker import Promise
from fault.lab import Lab, size
from fault.server import DurableServer
from riverrun.database.postgres_cluster import SUPERUSER
from riverrun.database.system_account import server_identity
from support.eventually import eventually_sync
from support.proxy import Proxy


def test_a_synchronous_standby_that_is_promoted_has_lost_nothing(own_lab: Lab) -> None:
    """D9: the primary crashes for good; the standby is promoted and the address moves to it."""
    primary = own_lab.server
    standby = _standby_of(primary)
    try:
        with Proxy(own_lab.database) as proxy:
            own_lab.hosts("a", "b", database=proxy.dsn)
            with own_lab.producer(proxy.dsn, rate=30, args=lambda n: {"ms": n % 10 * 20}):
                own_lab.works_again()
                time.sleep(size(3, 30))
                proxy.refuse()
                primary.stop(crash=True)
                _promote(standby)
                own_lab.database = standby.dsn("work")
                eventually_sync(lambda: own_lab.rows("SELECT 1 WHERE NOT pg_is_in_recovery()"), within=60)
                accepted = time.time()
                proxy.heal()
                proxy.redirect(standby.dsn("work"))
                resumed = own_lab.works_again() - accepted
                time.sleep(size(2, 20))
            own_lab.settle()

        witnessed = own_lab.conclude(
            "D9", "synchronous standby promoted", seen_after=[resumed], target=5.0, note="seen: first job after it"
        )
        assert not witnessed.rescues()
    finally:
        standby.stop()


def test_a_primary_that_was_left_behind_confirms_nothing_and_its_host_stops_its_handlers(own_lab: Lab) -> None:
    """D10: the synchronous standby is promoted while the old primary still serves one host."""
    primary = own_lab.server
    standby = _standby_of(primary)
    try:
        with Proxy(own_lab.database) as moved:
            slots = {"queues": {"default": {"max_workers": 10}}}
            own_lab.hosts("left", river=slots)
            own_lab.hosts("moved", river=slots, database=moved.dsn)
            own_lab.grown_up()
            own_lab.producer(kind="long", args=lambda _: {"ms": 14_000}).enqueue(20)
            own_lab.begun(20)
            eventually_sync(lambda: _claims(standby) == 20, within=60)

            at = _promote(standby)
            own_lab.database = standby.dsn("work")
            moved.redirect(standby.dsn("work"))
            eventually_sync(lambda: own_lab.history().rescues(), within=60, every=0.5)
            confirmed = _finished(primary)
            own_lab.settle()

            witnessed = own_lab.history()
            seen, again = witnessed.taken_back([at])
            own_lab.conclude(
                "D10", "two primaries, one host left with the old one", seen_after=seen, target=15.0,
                promise=Promise(overlap=2.0), note=own_lab.summary(again),
            )  # fmt: skip
            assert confirmed == _finished(primary) == 0
            assert {effect.executor.partition(":")[0] for effect in witnessed.effects if effect.phase == "stopped"} == {
                "left"
            }
            own_lab.fleet.close()
    finally:
        standby.stop()


def test_of_several_servers_the_primary_is_worked_on_and_a_standby_alone_is_not(own_lab: Lab) -> None:
    """D11: a standby is named first, or alone."""
    standby = _standby_of(own_lab.server)
    try:
        alone = own_lab.fleet.host("standby", environment=_asked(standby))
        own_lab.fleet.host("both", environment=_asked(standby, own_lab.server)).ready()
        own_lab.producer().enqueue(20)
        own_lab.settle()

        own_lab.conclude("D11", "a standby named before its primary, and alone")
        assert own_lab.leader() == "both"
        assert alone.status()["state"] == "starting"
        assert "hot standby" in alone.said()
    finally:
        standby.stop()


def _asked(*servers: DurableServer) -> dict[str, str]:
    """Return what names these servers to a daemon, in this order."""
    addresses = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return {"RIVERRUN_DATABASE_URL": f"postgresql://{SUPERUSER}@{addresses}/work?sslmode=disable"}


def _promote(standby: DurableServer) -> float:
    """Make a primary of a standby, and return when it was one."""
    with psycopg.connect(standby.dsn(), autocommit=True) as conn:
        conn.execute("SELECT pg_promote()")
        conn.execute("ALTER SYSTEM RESET synchronous_standby_names")
        conn.execute("SELECT pg_reload_conf()")
    return time.time()


def _claims(server: DurableServer) -> int:
    return _count(server, "state = 'running'")


def _finished(server: DurableServer) -> int:
    return _count(server, "finalized_at IS NOT NULL")


def _count(server: DurableServer, condition: str) -> int:
    """Return of how many jobs a server believes something."""
    with psycopg.connect(server.dsn("work"), autocommit=True) as conn:
        row = conn.execute(f"SELECT count(*) FROM river_job WHERE {condition}".encode()).fetchone()
        assert row is not None
        return int(row[0])


def _standby_of(primary: DurableServer) -> DurableServer:
    """Return a running standby without which the primary commits nothing."""
    data = primary.home / "standby"
    done = server_identity().run(
        [
            str(primary.binaries.folder / "pg_basebackup"), "-h", "127.0.0.1", "-p", str(primary.port), "-U", SUPERUSER,
            "-D", str(data), "-R", "-X", "stream", "--checkpoint=fast",
        ]
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    standby = DurableServer(primary.home, data=data)
    with (data / "postgresql.auto.conf").open("a", encoding="ascii") as settings:
        settings.write(f"port = '{standby.port}'\nhot_standby = 'on'\n")
    standby.create()
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    primary.execute("SELECT pg_reload_conf()")
    with psycopg.connect(primary.dsn(), autocommit=True) as conn:
        query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        eventually_sync(lambda: (conn.execute(query).fetchone() or (0,))[0] == 1, within=60)
    return standby
