"""The embedded PostgreSQL: data that stay, one owner, recovery, and no folder of others touched."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import psycopg
import pytest

from riverrun.database.embedded import EmbeddedPostgres, default_data_dir
from riverrun.database.postgres_binaries import binaries_for, binaries_in, wheel_binaries
from riverrun.database.postmaster import Postmaster
from riverrun.database.system_account import Identity, server_identity
from riverrun.errors import ConfigError, DatabaseUnavailable
from support.eventually import eventually_sync

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another account")


@pytest.fixture
def home() -> Iterator[Path]:
    """Give an empty folder that the server's account can reach, unlike pytest's own when root runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="riverrun-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def embedded(home: Path) -> Iterator[EmbeddedPostgres]:
    postgres = EmbeddedPostgres(home / "data")
    postgres.start()
    yield postgres
    postgres.stop()


def test_data_survive_a_restart(embedded: EmbeddedPostgres) -> None:
    with psycopg.connect(embedded.dsn()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'Grüße' AS word")
    embedded.stop()

    embedded.start()

    with psycopg.connect(embedded.dsn()) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("Grüße",)]
        assert connection.info.server_version // 10_000 == 18
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_second_start_joins_and_its_stop_leaves_the_server_running(embedded: EmbeddedPostgres) -> None:
    second = EmbeddedPostgres(embedded.data_dir)

    second.start()
    second.stop()

    assert (embedded.owns, second.owns) == (True, False)
    assert second.running()
    assert second.dsn() == embedded.dsn()


def test_who_waits_to_join_starts_the_server_when_its_owner_leaves_instead(home: Path) -> None:
    second = EmbeddedPostgres(home)
    with ThreadPoolExecutor(1) as thread, (home / "owner.lock").open("w") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        started = thread.submit(second.start)
        assert wait([started], timeout=1.0).not_done

        owner.close()
        started.result(timeout=20)

    assert second.owns
    assert second.running()
    second.stop()


def test_starting_what_runs_changes_nothing(embedded: EmbeddedPostgres) -> None:
    pid = _pid(embedded)

    embedded.start()

    assert _pid(embedded) == pid


def test_the_stop_of_the_owner_ends_the_server(embedded: EmbeddedPostgres) -> None:
    embedded.stop()

    assert not embedded.running()
    assert not embedded.owns
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(embedded.dsn())


def test_the_server_of_a_killed_owner_is_taken_over(home: Path) -> None:
    owner = _start_in_another_process(home / "data")
    successor = EmbeddedPostgres(home / "data")
    pid = _pid(successor)
    owner.kill()
    owner.communicate()

    successor.start()

    assert successor.owns
    assert _pid(successor) == pid
    successor.stop()
    assert not successor.running()


def test_ctrl_c_on_the_terminal_does_not_reach_the_server(home: Path) -> None:
    owner = _start_in_another_process(home / "data")
    postgres = EmbeddedPostgres(home / "data")

    server = _pid(postgres)

    assert os.getsid(server) != os.getsid(owner.pid)
    owner.kill()
    owner.communicate()
    postgres.start()
    postgres.stop()


def test_the_file_of_a_killed_server_does_not_stop_the_next(embedded: EmbeddedPostgres) -> None:
    dead = _kill_server(embedded)

    embedded.start()

    assert embedded.running()
    assert _pid(embedded) != dead


def test_a_process_that_inherited_the_id_of_a_killed_server_is_not_taken_for_it(embedded: EmbeddedPostgres) -> None:
    dead = _kill_server(embedded)
    pid_file = embedded.data_dir / "cluster" / "postmaster.pid"
    identity = server_identity()
    sleep = ["/bin/sleep", "60"]
    with subprocess.Popen(sleep, user=identity.user, group=identity.group, extra_groups=identity.extra_groups) as other:
        pid_file.write_text(pid_file.read_text().replace(str(dead), str(other.pid), 1))

        embedded.start()

        assert embedded.running()
        assert other.poll() is None
        other.kill()


def test_an_interrupted_creation_leaves_nothing_to_repair(home: Path) -> None:
    unfinished = home / "data" / "cluster.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    postgres = EmbeddedPostgres(home / "data")

    postgres.start()

    assert postgres.running()
    postgres.stop()
    assert not unfinished.exists()


def test_a_long_path_gets_a_short_socket_that_other_processes_find(home: Path) -> None:
    postgres = EmbeddedPostgres(home / ("long" * 40) / "data")
    postgres.start()

    with psycopg.connect(EmbeddedPostgres(postgres.data_dir).dsn()) as connection:
        sockets = Path(connection.info.host)

    assert len(str(sockets)) < 60
    assert sockets.stat().st_mode & 0o777 == 0o700
    postgres.stop()
    sockets.rmdir()


def test_a_socket_folder_that_others_may_enter_is_refused(home: Path) -> None:
    (home / "data" / "socket").mkdir(parents=True)
    (home / "data" / "socket").chmod(0o755)

    with pytest.raises(ConfigError, match=r"must be a folder of user id .* with mode 0700"):
        EmbeddedPostgres(home / "data").start()


def test_data_of_another_major_version_are_refused_and_kept(embedded: EmbeddedPostgres) -> None:
    embedded.stop()
    version = embedded.data_dir / "cluster" / "PG_VERSION"
    version.write_text("17\n")

    with pytest.raises(ConfigError, match=r"are of PostgreSQL 17, the programs of 18\."):
        embedded.start()

    assert version.read_text() == "17\n"
    assert not embedded.owns


def test_a_failed_start_says_what_the_server_said(embedded: EmbeddedPostgres) -> None:
    embedded.stop()
    with (embedded.data_dir / "cluster" / "postgresql.conf").open("a") as conf:
        conf.write("no_such_setting = on\n")

    with pytest.raises(DatabaseUnavailable, match='unrecognized configuration parameter "no_such_setting"'):
        embedded.start()

    assert not embedded.owns


def test_a_file_in_place_of_the_folder_is_refused_with_its_name(home: Path) -> None:
    (home / "data").write_text("")

    with pytest.raises(ConfigError, match=rf"embedded\.data_dir: {home}/data cannot be used"):
        EmbeddedPostgres(home / "data").start()


def test_no_folder_that_was_there_before_changes(home: Path) -> None:
    (home / "closed").mkdir(mode=0o711)
    watched = [*home.parents, home, home / "closed", *wheel_binaries().folder.parents]
    before = [_rights(folder) for folder in watched]

    postgres = EmbeddedPostgres(home / "closed" / "data")
    postgres.start()
    postgres.stop()

    assert [_rights(folder) for folder in watched] == before


def test_only_the_account_itself_may_enter_data_and_socket(embedded: EmbeddedPostgres) -> None:
    for name in ("cluster", "socket"):
        folder = (embedded.data_dir / name).stat()

        assert folder.st_mode & 0o777 == 0o700
        assert folder.st_uid == server_identity().owner


@as_root
def test_root_runs_the_server_as_the_system_account(embedded: EmbeddedPostgres) -> None:
    owner = Path(f"/proc/{_pid(embedded)}").stat().st_uid

    assert owner == server_identity().user != 0


@as_root
def test_other_users_cannot_connect(embedded: EmbeddedPostgres) -> None:
    nobody = Identity(user=65534, group=65534, extra_groups=())
    binaries = binaries_for(nobody, copies=embedded.data_dir)

    refused = nobody.run([str(binaries.folder / "psql"), embedded.dsn(), "-c", "SELECT 1"])

    assert "Permission denied" in refused.stderr
    assert refused.returncode != 0


@as_root
def test_a_folder_closed_to_the_account_is_refused_and_stays_closed(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)

    with pytest.raises(ConfigError, match="the account that PostgreSQL runs as cannot enter"):
        EmbeddedPostgres(closed / "data").start()

    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_programs_that_the_account_cannot_reach_are_copied_not_opened(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    package = wheel_binaries().folder.parent.parent
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, closed / part.name, symlinks=True)
    inside = binaries_in(closed / wheel_binaries().folder.relative_to(package.parent))
    monkeypatch.setattr("riverrun.database.postgres_binaries.wheel_binaries", lambda: inside)
    postgres = EmbeddedPostgres(home / "data")

    postgres.start()

    assert postgres.running()
    postgres.stop()
    assert closed.stat().st_mode & 0o777 == 0o700
    assert (home / "data" / "programs-18.4").is_dir()


@as_root
def test_an_ordinary_user_starts_a_server_of_their_own(home: Path) -> None:
    user = Identity(user=65534, group=65534, extra_groups=())
    if not _can_run_python(user):
        pytest.skip("the interpreter of these tests lies in a folder that is closed to other users")
    (home / "theirs").mkdir()
    os.chown(home / "theirs", 65534, 65534)

    done = user.run([sys.executable, "-c", _START_AND_STOP, str(home / "theirs" / "data")])

    assert json.loads(done.stdout) == {"running": True, "owner": 65534}, done.stderr


def test_the_default_folder_depends_on_the_user_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data/home")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    theirs = default_data_dir()
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    assert theirs == Path("/data/home/riverrun/postgresql")
    assert default_data_dir() == Path("/var/lib/riverrun/postgresql")


_START_AND_WAIT = """
import sys
from pathlib import Path
from riverrun.database.embedded import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).start()
print("started", flush=True)
sys.stdin.read()
"""

_START_AND_STOP = """
import json, sys
from pathlib import Path
from riverrun.database.embedded import EmbeddedPostgres
postgres = EmbeddedPostgres(Path(sys.argv[1]))
postgres.start()
print(json.dumps({"running": postgres.running(), "owner": (postgres.data_dir / "cluster").stat().st_uid}))
postgres.stop()
"""


def _start_in_another_process(data_dir: Path) -> subprocess.Popen[str]:
    owner = subprocess.Popen(
        [sys.executable, "-c", _START_AND_WAIT, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "started\n"
    return owner


def _kill_server(embedded: EmbeddedPostgres) -> int:
    pid = _pid(embedded)
    os.kill(pid, signal.SIGKILL)
    eventually_sync(lambda: not embedded.running(), within=10.0)
    return pid


def _pid(embedded: EmbeddedPostgres) -> int:
    pid = Postmaster(embedded.data_dir / "cluster").pid()
    assert pid is not None
    return pid


def _rights(folder: Path) -> tuple[int, int, int]:
    found = folder.stat()
    return found.st_mode, found.st_uid, found.st_gid


def _can_run_python(user: Identity) -> bool:
    try:
        return user.run([sys.executable, "-c", "import riverrun.database.embedded"]).returncode == 0
    except OSError:
        return False
