"""What systemd is told, read from the socket that it would have opened."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from riverrun_supervisor.systemd import Systemd


@pytest.fixture(params=["a path", "an abstract name"])
def notify(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, str]]:
    """A socket as systemd opens it, and what it writes into NOTIFY_SOCKET."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = str(Path(folder) / "notify") if request.param == "a path" else f"@riverrun-test-{os.getpid()}"
        sock.bind(name.replace("@", "\0", 1))
        sock.settimeout(5)
        yield sock, name


def test_each_word_arrives(notify: tuple[socket.socket, str]) -> None:
    sock, name = notify
    systemd = Systemd({"NOTIFY_SOCKET": name})

    systemd.ready()
    systemd.status("two\nlines")
    systemd.status("two\nlines")
    systemd.reloading()
    systemd.alive()
    systemd.extend_timeout(timedelta(seconds=15))
    systemd.stopping()

    heard = [sock.recv(4096).decode() for _ in range(6)]
    assert heard[:2] == ["READY=1", "STATUS=two lines"]
    assert heard[2].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert heard[2].rpartition("=")[2].isdecimal()
    assert heard[3:] == ["WATCHDOG=1", "EXTEND_TIMEOUT_USEC=15000000", "STOPPING=1"]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_nothing_is_said_where_systemd_does_not_listen(environment: dict[str, str]) -> None:
    Systemd(environment).ready()


def test_a_socket_that_is_gone_does_not_stop_the_daemon(caplog: pytest.LogCaptureFixture) -> None:
    Systemd({"NOTIFY_SOCKET": "/nonexistent/notify"}).ready()

    assert "systemd" in caplog.text


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({"WATCHDOG_USEC": "30000000"}, timedelta(seconds=15)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, timedelta(seconds=15)),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_time(environment: dict[str, str], interval: timedelta | None) -> None:
    assert Systemd(environment).watchdog_interval == interval
