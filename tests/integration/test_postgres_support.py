"""The ground that the other tests stand on: servers, templates and copies."""

from __future__ import annotations

import socket

import psycopg
import pytest

from support.eventually import eventually, eventually_sync
from support.ports import free_port
from support.postgres import PostgresServer, PrepareTemplate


@pytest.fixture(scope="session")
def prepare_template() -> PrepareTemplate:
    return _make_a_counter


def _make_a_counter(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE counter (id integer PRIMARY KEY)")


@pytest.mark.every_postgres
@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_gets_a_fresh_copy_of_the_prepared_database(database: str, turn: int) -> None:
    with psycopg.connect(database) as connection:
        before = connection.execute("SELECT count(*) FROM counter").fetchone()
        connection.execute("INSERT INTO counter VALUES (%s)", [turn])

    assert before == (0,)


@pytest.mark.every_postgres
def test_a_server_is_of_the_version_that_the_test_is_named_for(server: PostgresServer, empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        version = connection.info.server_version
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()

    assert version // 10_000 == server.major
    assert tables == (0,)


def test_a_database_is_dropped_though_somebody_still_uses_it(server: PostgresServer) -> None:
    with server.copy_of("template1") as dsn:
        connection = psycopg.connect(dsn, autocommit=True)

    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


async def test_eventually_waits_for_a_coroutine_that_comes_true() -> None:
    answers = iter([False, False, True])

    async def ready() -> bool:
        return next(answers)

    await eventually(ready, within=5.0)

    assert list(answers) == []


async def test_eventually_fails_with_the_last_exception() -> None:
    rows: dict[str, bool] = {}

    with pytest.raises(AssertionError, match=r"not true within 0\.05 s; it last raised KeyError\('absent'\)"):
        await eventually(lambda: rows["absent"], within=0.05)


def test_eventually_sync_fails_with_the_last_value() -> None:
    with pytest.raises(AssertionError, match=r"it last gave \[\]"):
        eventually_sync(list, within=0.05)


def test_a_free_port_can_be_bound_at_once() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))

        assert listener.getsockname()[1] > 0
