"""Of the daemons of one name a host has one, and its successor knows whether it was killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from riverrun.control import ask
from riverrun.errors import Conflict, NotFound
from riverrun_supervisor.control import ControlSocket

CLAIM = """
import sys
from pathlib import Path
from riverrun_supervisor.control import ControlSocket
ControlSocket("host", {}, folder=Path(sys.argv[1])).claim()
print("claimed", flush=True)
sys.stdin.read()
"""


def place(folder: Path) -> ControlSocket:
    return ControlSocket("host", {}, folder=folder)


def test_a_successor_is_told_which_process_had_the_place_and_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CLAIM, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"claimed\n"
        with pytest.raises(Conflict, match=rf"\(process {killed.pid}\)"):
            place(tmp_path).claim()
        os.kill(killed.pid, signal.SIGKILL)

    assert place(tmp_path).claim() == killed.pid


async def test_who_gave_the_place_up_was_not_killed(tmp_path: Path) -> None:
    first = place(tmp_path)
    assert first.claim() is None
    await first.close()

    assert place(tmp_path).claim() is None


def test_who_had_the_place_before_the_machine_was_started_is_not_vouched_for(tmp_path: Path) -> None:
    (tmp_path / "host.lock").write_text("4711 00000000-0000-0000-0000-000000000000\n")

    assert place(tmp_path).claim() is None


@pytest.mark.parametrize("unread", [False, True], ids=["it has read the question", "it has not"])
def test_a_daemon_that_leaves_while_it_is_asked_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unread: bool
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as leaving:
        leaving.bind(str(tmp_path / "host.sock"))
        leaving.listen()
        thread = threading.Thread(target=_take_one_and_leave, args=(leaving, unread))
        thread.start()

        with pytest.raises(NotFound):
            ask("host", "status")
        thread.join()


def _take_one_and_leave(leaving: socket.socket, unread: bool) -> None:
    conn, _ = leaving.accept()
    if not unread:
        conn.recv(100)
    conn.close()  # what was sent and not read makes the kernel reset the connection
