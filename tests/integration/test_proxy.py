"""The network that fails on command does what the fault tests believe it does."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from support.eventually import eventually_sync
from support.proxy import Proxy


@pytest.fixture
def proxy(empty_database: str) -> Iterator[Proxy]:
    """Give a proxy in front of a database with one empty table."""
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute("CREATE TABLE note (text text)")
    with Proxy(empty_database) as proxy:
        yield proxy


def connect(proxy: Proxy, **options: int) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(proxy.dsn, autocommit=True, connect_timeout=2, **options)  # type: ignore[arg-type]  # ints only


def notes(dsn: str) -> list[object]:
    with psycopg.connect(dsn, autocommit=True) as conn:
        return [row[0] for row in conn.execute("SELECT text FROM note")]


def test_a_healthy_proxy_carries_large_values_both_ways(proxy: Proxy) -> None:
    with connect(proxy) as conn:
        row = conn.execute("SELECT %s::text", ("x" * 1_000_000,)).fetchone()

    assert row == ("x" * 1_000_000,)


def test_a_delay_makes_every_answer_late(proxy: Proxy) -> None:
    with connect(proxy) as conn:
        proxy.delay(0.1)
        started = time.monotonic()
        conn.execute("SELECT 1")

    assert 0.2 <= time.monotonic() - started < 2


def test_a_throttle_makes_large_values_slow(proxy: Proxy) -> None:
    with connect(proxy) as conn:
        proxy.throttle(200_000)
        started = time.monotonic()
        conn.execute("SELECT repeat('x', 100000)")

    assert 0.4 <= time.monotonic() - started < 5


def test_a_black_hole_accepts_connections_and_answers_nothing_until_it_heals(proxy: Proxy) -> None:
    with connect(proxy) as conn:
        proxy.black_hole()
        with pytest.raises(psycopg.OperationalError, match="timeout"):
            connect(proxy)
        proxy.heal()

        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_a_black_hole_to_the_client_still_lets_the_server_work(proxy: Proxy, empty_database: str) -> None:
    conn = connect(proxy)
    proxy.black_hole(to_server=False)
    conn.pgconn.send_query(b"INSERT INTO note VALUES ('heard')")

    eventually_sync(lambda: notes(empty_database) == ["heard"], within=5)
    conn.close()


def test_a_connection_is_cut_in_the_middle_of_an_answer(proxy: Proxy) -> None:
    proxy.cut_after_bytes(50_000)

    with connect(proxy) as conn, pytest.raises(psycopg.OperationalError):
        conn.execute("SELECT repeat('x', 100000)")


@pytest.mark.parametrize("options", [{}, {"prepare_threshold": 0}], ids=["plain", "prepared"])
def test_a_statement_is_committed_and_its_answer_is_lost(
    proxy: Proxy, empty_database: str, options: dict[str, int]
) -> None:
    with connect(proxy, **options) as conn:
        conn.execute("INSERT INTO note VALUES (%s)", ("before",))
        proxy.cut_after_commit(r"INSERT INTO note")
        with pytest.raises(psycopg.OperationalError):
            conn.execute("INSERT INTO note VALUES (%s)", ("in doubt",))

    assert notes(empty_database) == ["before", "in doubt"]
    assert (proxy.cuts, proxy.unused_aims) == (1, 0)


def test_a_transaction_is_committed_and_its_answer_is_lost(proxy: Proxy, empty_database: str) -> None:
    proxy.cut_after_commit(r"^COMMIT")
    with connect(proxy) as conn, pytest.raises(psycopg.OperationalError), conn.transaction():
        conn.execute("INSERT INTO note VALUES ('in doubt')")

    assert notes(empty_database) == ["in doubt"]


def test_connections_that_are_half_open_stay_silent_and_new_ones_work(proxy: Proxy) -> None:
    silent = connect(proxy)
    proxy.half_open()
    silent.pgconn.send_query(b"SELECT 1")

    with connect(proxy) as fresh:
        assert fresh.execute("SELECT 1").fetchone() == (1,)
    assert silent.pgconn.is_busy()
    silent.close()


def test_who_was_refused_may_come_again_after_the_healing(proxy: Proxy) -> None:
    proxy.refuse()
    with pytest.raises(psycopg.OperationalError):
        connect(proxy)

    proxy.heal()
    with connect(proxy) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)
