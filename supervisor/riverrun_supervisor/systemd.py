"""Tells systemd how the daemon is, in the protocol of sd_notify(3); silent when systemd did not start it."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from datetime import timedelta

log = logging.getLogger(__name__)


class Systemd:
    """Writes to the socket that systemd named in ``NOTIFY_SOCKET``; never waits and never raises."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self.watchdog_interval = _watchdog_interval(environment)
        self._status = ""

    def ready(self) -> None:
        """The daemon works (also: it has finished reloading)."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The daemon reads its configuration again; ``ready`` ends this."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        """The daemon has begun to stop."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Show ``text`` in ``systemctl status``."""
        if text != self._status:
            self._status = text
            self._send("STATUS=" + text.replace("\n", " "))

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def extend_timeout(self, by: timedelta) -> None:
        """Ask for this much more time, from now, to stop."""
        self._send(f"EXTEND_TIMEOUT_USEC={by // timedelta(microseconds=1)}")

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("systemd_not_told", extra={"told": lines[0], "error": str(error)})


def _address(name: str) -> str | None:
    """Return the socket's address; ``@`` stands for the NUL of an abstract one."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else None


def _watchdog_interval(environment: Mapping[str, str]) -> timedelta | None:
    """Return how often to feed the watchdog: half the time after which it bites."""
    usec = environment.get("WATCHDOG_USEC", "")
    if not usec.isdecimal() or int(usec) == 0 or environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return timedelta(microseconds=int(usec)) / 2
