"""The server is lost and its standby takes its place."""

from __future__ import annotations

import time

import psycopg

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
                with psycopg.connect(standby.dsn(), autocommit=True) as conn:
                    conn.execute("SELECT pg_promote()")
                    conn.execute("ALTER SYSTEM RESET synchronous_standby_names")
                    conn.execute("SELECT pg_reload_conf()")
                own_lab.database = standby.dsn("work")
                eventually_sync(lambda: own_lab.rows("SELECT 1 WHERE NOT pg_is_in_recovery()"), within=20)
                accepted = time.time()
                proxy.heal()
                proxy.redirect(standby.dsn("work"))
                resumed = own_lab.works_again(40) - accepted
                time.sleep(size(2, 20))
            own_lab.settle(60)

        witnessed = own_lab.conclude(
            "D9", "synchronous standby promoted", seen_after=[resumed], target=5.0, note="seen: first job after it"
        )
        assert not witnessed.rescues()
    finally:
        standby.stop()


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
        eventually_sync(lambda: (conn.execute(query).fetchone() or (0,))[0] == 1, within=20)
    return standby
