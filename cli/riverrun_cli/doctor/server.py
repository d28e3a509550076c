"""Judges the connection and the database server: can the fleet rely on what it is told there?"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from riverrun.settings.schema import Settings
from riverrun.store.health import DatabaseFacts
from riverrun_cli.doctor.finding import Finding, error, warning

OLDEST_VERSION = 15
_LARGEST_SKEW_SECONDS = 1.0


def of_server(facts: DatabaseFacts) -> Iterator[Finding]:
    """Judge the server."""
    if facts.version < OLDEST_VERSION * 10_000:
        yield warning(
            "version",
            f"PostgreSQL {facts.version_text} is older than {OLDEST_VERSION}, the oldest that Riverrun is tested on",
            mend=f"upgrade the server to PostgreSQL {OLDEST_VERSION} or newer",
        )
    if facts.standby:
        yield error(
            "standby",
            "this server is a standby: nothing can be enqueued, claimed or led here",
            mend="add target_session_attrs=read-write to the connection string, or name the primary",
        )
    yield from _of_durability(facts)
    if not facts.autovacuum:
        yield error(
            "autovacuum",
            "autovacuum is off for the whole server: dead rows are never removed and every claim gets slower",
            mend="ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf();",
        )
    yield from _of_capacity(facts)


def of_clock(ahead: float, *, uncertain: float) -> Iterator[Finding]:
    """Judge how many seconds the server's clock is ahead of this host's, give or take ``uncertain``."""
    if abs(ahead) - uncertain > _LARGEST_SKEW_SECONDS:
        yield warning(
            "clock",
            f"the clock of this host is {abs(ahead):.1f} s {'behind' if ahead > 0 else 'ahead of'} the database's:"
            " a time that a program here computes for a job is wrong by as much",
            mend="synchronize the clocks: timedatectl set-ntp true",
        )


def of_encryption(address: str, *, encrypted: bool) -> Iterator[Finding]:
    """Judge a connection to ``address``, which is empty for a unix socket."""
    if address and not encrypted and not ipaddress.ip_address(address).is_loopback:
        yield warning(
            "tls",
            f"the connection to {address} is not encrypted: passwords and arguments of jobs can be read on the way",
            mend="set postgresql.ssl_mode: verify-full, or add sslmode=verify-full to the connection string",
        )


def of_settings(settings: Settings) -> Iterator[Finding]:
    """Judge the configuration of this host."""
    if not settings.river.enable:
        yield warning(
            "configuration",
            "river.enable is false: `queuectl start` starts nothing on this host",
            mend="set river.enable: true",
        )


def of_sharing(shares: bool) -> Iterator[Finding]:
    """Judge whether several clients share one session of the server."""
    if shares:
        yield error(
            "pooler",
            "the connection goes through a pooler that gives a session to several clients (transaction mode): two"
            " schedulers would both hold the leader's lock, notifications are never heard, settings leak",
            mend="point the daemon's database_url at PostgreSQL itself; producers may keep the pooler",
        )


def _of_durability(facts: DatabaseFacts) -> Iterator[Finding]:
    if not facts.fsync:
        yield error(
            "durability",
            "fsync is off: a crash of the machine can destroy the whole database",
            mend="ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();",
        )
    if facts.synchronous_commit == "off":
        yield warning(
            "durability",
            "synchronous_commit is off: jobs that were enqueued in the last moments before a crash of PostgreSQL are"
            " lost although their producers were told that they are there",
            mend="ALTER SYSTEM RESET synchronous_commit; SELECT pg_reload_conf(); for one role: "
            "ALTER ROLE … RESET synchronous_commit;",
        )


def _of_capacity(facts: DatabaseFacts) -> Iterator[Finding]:
    if facts.connections >= 0.9 * facts.most_connections:
        yield warning(
            "connections",
            f"{facts.connections} of {facts.most_connections} connections are in use: soon nobody can connect",
            mend="raise max_connections and restart the server, or run fewer processes of queues (three connections"
            " each); who has them: SELECT usename, application_name, count(*) FROM pg_stat_activity GROUP BY 1, 2"
            " ORDER BY 3 DESC;",
        )
    if facts.notification_queue > 0.1:
        severe = error if facts.notification_queue > 0.5 else warning
        yield severe(
            "notifications",
            f"PostgreSQL's queue of notifications is {facts.notification_queue:.0%} full: when it is full, every"
            " enqueue fails; a session that listens sits in an old transaction",
            mend="SELECT pid, application_name, xact_start FROM pg_stat_activity WHERE xact_start IS NOT NULL"
            " ORDER BY xact_start LIMIT 5; then SELECT pg_terminate_backend(pid);",
        )
