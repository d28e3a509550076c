"""How the command line reaches the daemon of its host: a socket in a folder that only its user can open.

One line of JSON each way: ``{"command": "status"}``, answered by an object; a refusal has the member ``error``.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from riverrun.errors import NotFound, RiverrunError

COMMANDS = ("status", "drain", "reload", "stop")
LINE_LIMIT = 1024 * 1024


def runtime_folders(environ: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Yield the folders in which a daemon's socket may be, the one that a new daemon takes first."""
    if given := environ.get("RUNTIME_DIRECTORY"):  # systemd's
        yield Path(given.split(":")[0])
    if os.geteuid() == 0:
        yield Path("/run/riverrun")
    elif session := environ.get("XDG_RUNTIME_DIR"):
        yield Path(session) / "riverrun"
    yield Path(tempfile.gettempdir()) / f"riverrun-{os.geteuid()}"


def ask(server_id: str, command: str, *, timeout: timedelta = timedelta(seconds=5)) -> dict[str, object]:
    """Send ``command`` to the daemon of this host and return its answer.

    Raises:
        NotFound: No daemon of this name runs here, as far as this user can see.
        RiverrunError: It refused, or gave no answer in time.
    """
    for folder in runtime_folders():
        try:
            return _ask(folder / f"{server_id}.sock", command, timeout)
        except (FileNotFoundError, NotADirectoryError, ConnectionError):
            continue  # a daemon that leaves while it is asked is gone too
        except (OSError, ValueError) as error:
            raise RiverrunError(f"the daemon {server_id} did not answer {command}: {error}") from error
    raise NotFound("daemon", f"{server_id} on this host (for this user)")


def _ask(path: Path, command: str, timeout: timedelta) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout.total_seconds())
        sock.connect(str(path))
        sock.sendall(json.dumps({"command": command}).encode() + b"\n")
        with sock.makefile("rb") as answers:
            line = answers.readline(LINE_LIMIT)
    if not line:
        raise ConnectionResetError("it left without an answer")
    answer = json.loads(line)
    if not isinstance(answer, dict):
        raise ValueError("the answer is not an object")  # noqa: TRY004 - it came from outside
    if "error" in answer:
        raise RiverrunError(str(answer["error"]))
    return answer
