"""Why tests need no database to be installed: each test process starts throw-away PostgreSQL servers.

A test takes the fixture `database`: the connection string of a database of its own, with the schema in it, on
PostgreSQL 18 from the wheel. With the marker `every_postgres` it runs once more on each server that the distribution
has installed. `--postgres 15` (or the variable RIVERRUN_TEST_POSTGRES) runs all such tests on that version alone.

`empty_database` is the same without the schema. What "the schema" is says the fixture `prepare_template`: whoever
has migrations overrides it in a conftest.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from riverrun.database.postgres_binaries import PostgresBinaries, binaries_for, binaries_in, wheel_binaries
from riverrun.database.postgres_cluster import PostgresCluster
from riverrun.database.system_account import server_identity

PrepareTemplate = Callable[[str], None]

_DISTRIBUTION = Path("/usr/lib/postgresql")
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_prepared_transactions": "5",
    "shared_buffers": "64MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresServer:
    """A running PostgreSQL server that lives as long as the test process."""

    def __init__(self, cluster: PostgresCluster, major: int) -> None:
        self._cluster = cluster
        self._templates: dict[PrepareTemplate, str] = {}
        self.major = major

    def dsn(self, database: str = "postgres") -> str:
        """Return the connection string of ``database`` on this server."""
        return self._cluster.dsn(database)

    def template(self, prepare: PrepareTemplate) -> str:
        """Return the name of a database that ``prepare`` has filled; it is called once in the life of the server."""
        if prepare not in self._templates:
            name = self._create("template_", "template1")
            prepare(self.dsn(name))
            self._templates[prepare] = name
        return self._templates[prepare]

    @contextmanager
    def copy_of(self, template: str) -> Iterator[str]:
        """Give the connection string of a fresh copy of ``template``, which is dropped afterwards, whoever uses it."""
        name = self._create("test_", template)
        try:
            yield self.dsn(name)
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _create(self, prefix: str, template: str) -> str:
        name = f"{prefix}{uuid.uuid4().hex[:12]}"
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn(), autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres",
        default=os.environ.get("RIVERRUN_TEST_POSTGRES", ""),
        metavar="MAJOR",
        help="run database tests on this PostgreSQL alone, such as 18; otherwise see tests/support/postgres.py",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "every_postgres: runs on each PostgreSQL that this machine has")
    asked = config.getoption("--postgres")
    if asked and asked not in _folders():
        raise pytest.UsageError(f"--postgres {asked}: this machine has {', '.join(_folders())}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" in metafunc.fixturenames:
        everywhere = metafunc.definition.get_closest_marker("every_postgres") is not None
        asked = metafunc.config.getoption("--postgres")
        newest, *others = _folders()
        majors = [asked] if asked else [newest, *others] if everywhere else [newest]
        metafunc.parametrize("server", majors, indirect=True, ids=[f"pg{major}" for major in majors])


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], PostgresServer]]:
    """Give a function that returns the server of a major version, started when first asked for."""
    running: dict[str, PostgresServer] = {}
    with ExitStack() as stack:

        def server_of(major: str) -> PostgresServer:
            if major not in running:
                running[major] = stack.enter_context(_throw_away_server(_folders()[major]))
            return running[major]

        yield server_of


@pytest.fixture
def server(request: pytest.FixtureRequest, servers: Callable[[str], PostgresServer]) -> PostgresServer:
    """Give the PostgreSQL server that this test runs on."""
    return servers(request.param)


@pytest.fixture(scope="session")
def prepare_template() -> PrepareTemplate:
    """Give the function that puts the schema into the database of a connection string: here, none."""
    return _leave_empty


@pytest.fixture
def database(server: PostgresServer, prepare_template: PrepareTemplate) -> Iterator[str]:
    """Give the connection string of a database with the schema, for this test alone."""
    with server.copy_of(server.template(prepare_template)) as dsn:
        yield dsn


@pytest.fixture
def empty_database(server: PostgresServer) -> Iterator[str]:
    """Give the connection string of an empty database, for this test alone."""
    with server.copy_of("template1") as dsn:
        yield dsn


def _leave_empty(_dsn: str) -> None:
    """Put nothing into the template."""


def _folders() -> dict[str, Path | None]:
    """Return where the programs of each major version are, newest first; ``None`` stands for the wheel."""
    installed = {
        folder.name: folder / "bin" for folder in _DISTRIBUTION.glob("*") if re.fullmatch(r"\d\d", folder.name)
    }
    usable = {major: folder for major, folder in installed.items() if (folder / "postgres").exists()}
    wheel = str(wheel_binaries().major)
    return {wheel: None} | {major: usable[major] for major in sorted(usable, reverse=True) if major != wheel}


@contextmanager
def _throw_away_server(programs: Path | None) -> Iterator[PostgresServer]:
    # Below /tmp, not pytest's folder: that is closed to the account that root's servers run as.
    home = Path(tempfile.mkdtemp(prefix="riverrun-test-", dir="/tmp"))
    home.chmod(0o755)
    try:
        binaries = _binaries(programs, home)
        cluster = PostgresCluster(
            home / "cluster",
            binaries=binaries,
            identity=server_identity(),
            sockets=home / "socket",
            log=home / "postgresql.log",
        )
        cluster.create(_SETTINGS)
        cluster.start()
        try:
            yield PostgresServer(cluster, binaries.major)
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _binaries(programs: Path | None, home: Path) -> PostgresBinaries:
    if programs is None:
        return binaries_for(server_identity(), copies=home)
    found = binaries_in(programs, identity=server_identity())
    assert found is not None, f"{programs}/postgres does not run"
    return found
