"""Hosts with networks of their own, where the machine allows it: a cable between each and a switch, that can be pulled.

Each host is a network namespace joined to a bridge. Pulling its cable takes the port out of the bridge: what either
side sends is lost without a word, as when a host loses its network, and unlike a proxy nobody acknowledges anything.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Switch:
    """A bridge of the tests, and the hosts on it.

    Attributes:
        number: Makes its names and addresses its own on this machine.
    """

    number: int
    hosts: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where the machine itself is reached by the hosts."""
        return f"10.213.{self.number}.1"

    @property
    def _bridge(self) -> str:
        return f"rrf{self.number}b"

    def open(self) -> None:
        """Make the bridge."""
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self.address}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")

    def plug(self, host: str) -> list[str]:
        """Make a host and return the command that a process is started with to be on it."""
        position = len(self.hosts) + 2
        space, cable = f"rrf{self.number}h{position}", f"rrf{self.number}c{position}"
        _ip("netns", "add", space)
        self.hosts[host] = cable
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
        _ip("link", "set", cable, "master", self._bridge, "up")
        _ip("-n", space, "addr", "add", f"10.213.{self.number}.{position}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            _ip("-n", space, "link", "set", link, "up")
        return ["ip", "netns", "exec", space]

    def pull(self, host: str) -> None:
        """Cut a host off."""
        _ip("link", "set", self.hosts[host], "nomaster")

    def put_back(self, host: str) -> None:
        """Join a host that was cut off."""
        _ip("link", "set", self.hosts[host], "master", self._bridge)

    def close(self) -> None:
        """Take everything down."""
        for position in range(2, len(self.hosts) + 2):
            _ip("netns", "del", f"rrf{self.number}h{position}", check=False)
        _ip("link", "del", self._bridge, check=False)


@contextmanager
def switch() -> Iterator[Switch]:
    """Give a switch that is gone afterwards."""
    made = Switch(1 + os.getpid() % 250)
    try:
        made.open()
        yield made
    finally:
        made.close()


def why_not() -> str | None:
    """Return why hosts of this kind cannot be made here; None when they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need the program ip (package iproute2)"
    try:
        with switch() as tried:
            tried.plug("trial")
    except subprocess.CalledProcessError as error:
        return f"this kernel makes no network namespaces joined to a bridge: {error.stderr.strip()}"
    return None


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True, timeout=10)
