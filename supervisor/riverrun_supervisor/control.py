"""The socket by which the command line reaches this daemon, and the lock that keeps a host's daemon the only one."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from riverrun.control import LINE_LIMIT, runtime_folders
from riverrun.errors import ConfigError, Conflict
from riverrun_supervisor.kernel import boot

Command = Callable[[], Mapping[str, object]]

ANSWER_SECONDS = 5.0
LOCK_BYTES = 100


class ControlSocket:
    """Answers commands while it is open; ``commands`` are called on the event loop and must not block."""

    def __init__(self, server_id: str, commands: Mapping[str, Command], *, folder: Path | None = None) -> None:
        self._folder = folder or next(runtime_folders())
        self._path = self._folder / f"{server_id}.sock"
        self._commands = commands
        self._server_id = server_id
        self._lock: int | None = None
        self._server: asyncio.Server | None = None

    def claim(self) -> int | None:
        """Take this host's place for the server id, until ``close`` or the end of the process.

        The lock is the kernel's: who had it in this run of the machine and has it no more has ended.

        Returns:
            The process that had the place in this run of the machine and was killed; None when none was.

        Raises:
            Conflict: Another supervisor with the same server id runs on this host.
            ConfigError: The folder cannot be used.
        """
        try:
            self._prepare_folder()
            self._lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = self._path.with_suffix(".lock").read_text(encoding="ascii").partition(" ")[0].strip()
            self._release()
            raise Conflict(
                f"a daemon named {self._server_id} runs on this host already (process {pid}); stop it with "
                "`queuectl stop`, or give this one another server_id"
            ) from error
        except OSError as error:
            raise ConfigError([f"the folder {self._folder} cannot hold the daemon's socket: {error}"]) from error
        pid, _, run = os.pread(self._lock, LOCK_BYTES, 0).decode(errors="replace").strip().partition(" ")
        self._write_down(f"{os.getpid()} {boot()}\n")
        return int(pid) if run and run == boot() and pid.isdecimal() else None

    async def open(self) -> None:
        """Begin to answer."""
        self._path.unlink(missing_ok=True)  # a daemon that was killed left it; we hold the lock
        try:
            self._server = await asyncio.start_unix_server(self._answer, self._path, limit=LINE_LIMIT)
        except OSError as error:
            raise ConfigError([f"the daemon's socket {self._path} cannot be opened: {error}"]) from error

    async def close(self) -> None:
        """Stop answering and give the place up."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        self._write_down("")
        self._release()

    def _prepare_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = self._folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise PermissionError("it is not a folder of this user's")
        if status.st_mode & 0o022:
            raise PermissionError("others may write to it")

    def _write_down(self, who: str) -> None:
        """Leave in the lock's file who has it."""
        if self._lock is not None:
            os.truncate(self._lock, 0)
            os.pwrite(self._lock, who.encode(), 0)

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                line = await reader.readline()
                writer.write(json.dumps(self._respond(line)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # who asked has gone, or asked for nothing
        finally:
            writer.close()

    def _respond(self, line: bytes) -> Mapping[str, object]:
        try:
            command = self._commands[json.loads(line)["command"]]
        except (ValueError, TypeError, KeyError):
            return {"error": f"unknown command; expected one of {', '.join(self._commands)}"}
        return command()
