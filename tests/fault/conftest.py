"""The laboratories of the fault tests; everything here is marked `fault`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import AsyncConnection

from fault import history
from fault.lab import FULL, Lab
from fault.network import Switch, switch, why_not
from fault.server import durable_server
from riverrun.database import migrate
from support.postgres import PostgresServer, _throw_away_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.fault)
            # A pool that is closed while it opens a connection leaves that one to the garbage collector.
            item.add_marker(pytest.mark.filterwarnings("ignore:<psycopg:ResourceWarning"))
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(7_200 if FULL else 180))


@pytest.fixture(scope="session")
def witness_server() -> Iterator[PostgresServer]:
    """Give the second PostgreSQL server, which no fault touches."""
    with _throw_away_server(None) as server:
        yield server


@pytest.fixture
def witnesses(witness_server: PostgresServer) -> Iterator[str]:
    """Give a database for the witnesses of one test."""
    with witness_server.copy_of(witness_server.template(history.prepare)) as dsn:
        yield dsn


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder whose path is short enough for the sockets of all hosts."""
    path = Path(tempfile.mkdtemp(prefix="rrf-", dir="/tmp"))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(path / "run"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def lab(request: pytest.FixtureRequest, server: PostgresServer, witnesses: str, folder: Path) -> Iterator[Lab]:
    """Give a laboratory on the PostgreSQL that all tests share."""
    with server.copy_of(server.template(_watched)) as database:
        made = Lab(database, witnesses, folder)
        try:
            yield made
        finally:
            made.close(*_scenario(request))


@pytest.fixture
def empty_lab(request: pytest.FixtureRequest, empty_database: str, witnesses: str, folder: Path) -> Iterator[Lab]:
    """Give a laboratory whose database has no tables yet, and is not watched."""
    made = Lab(empty_database, witnesses, folder)
    try:
        yield made
    finally:
        made.close(*_scenario(request))


@pytest.fixture
def own_lab(request: pytest.FixtureRequest, witnesses: str, folder: Path) -> Iterator[Lab]:
    """Give a laboratory with a durable PostgreSQL of its own; the parameter has settings of the server."""
    with durable_server(**getattr(request, "param", {})) as server:
        server.execute("CREATE DATABASE work")
        _watched(server.dsn("work"))
        made = Lab(server.dsn("work"), witnesses, folder, server)
        try:
            yield made
        finally:
            made.close(*_scenario(request))


@pytest.fixture
def switched_lab(request: pytest.FixtureRequest, witnesses: str, folder: Path) -> Iterator[tuple[Lab, Switch]]:
    """Give a laboratory whose hosts have networks of their own, and the switch between them."""
    if reason := why_not():
        pytest.skip(reason)
    with switch() as cables, durable_server(addresses=(cables.address,)) as server:
        server.execute("CREATE DATABASE work")
        _watched(server.dsn("work"))
        made = Lab(server.dsn("work"), witnesses, folder, server)
        try:
            yield made, cables
        finally:
            made.close(*_scenario(request))


def _watched(dsn: str) -> None:
    async def up() -> None:
        async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
            await migrate.up(conn)

    asyncio.run(up())
    history.watch(dsn)


def _scenario(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return what the test says of itself, and why it is known not to succeed."""
    known = request.node.get_closest_marker("xfail")
    return request.function.__doc__ or request.node.name, known.kwargs["reason"] if known else ""
