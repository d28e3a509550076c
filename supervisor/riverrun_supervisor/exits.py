"""Says in words how a child ended, because the number alone does not help at night."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path
from typing import Self

from riverrun.process import EXIT_CONFIG, EXIT_DATABASE

_VMSTAT = Path("/proc/vmstat")


@dataclasses.dataclass(frozen=True)
class Exit:
    """How a process ended.

    Attributes:
        code: As the operating system gave it: negative for a signal.
        out_of_memory: Whether the kernel killed something for want of memory while the process ran; None where it
            does not tell.
    """

    code: int
    out_of_memory: bool | None = None

    @property
    def is_clean(self) -> bool:
        """Whether the process ended by itself and without an error."""
        return self.code == 0

    @property
    def is_crash(self) -> bool:
        """Whether something is wrong with the process itself, not with its configuration or its database."""
        return self.code not in (0, EXIT_CONFIG, EXIT_DATABASE)

    @property
    def is_by_hand(self) -> bool:
        """Whether somebody killed the process for reasons of their own, as far as the kernel tells."""
        return self.code == -signal.SIGKILL and self.out_of_memory is False

    @property
    def reason(self) -> str:
        """The end of a sentence that begins with the name of the process."""
        if self.code == -signal.SIGKILL and self.out_of_memory:
            return "was killed by SIGKILL, probably by the kernel for want of memory (oom)"
        if self.code < 0:
            return f"was killed by {_signal_name(-self.code)}"
        known = {
            0: "ended by itself",
            EXIT_CONFIG: "cannot use its configuration",
            EXIT_DATABASE: "cannot use the database",
        }
        return known.get(self.code, f"ended with exit code {self.code}")


class MemoryWitness:
    """Notices whether the kernel killed anything for want of memory since it was made (Linux)."""

    def __init__(self, kills: int | None) -> None:
        self._kills = kills

    @classmethod
    def begin(cls) -> Self:
        """Remember how often it has happened until now."""
        return cls(_kills())

    def saw_a_kill(self) -> bool | None:
        """Return whether it has happened since; None where the kernel does not tell."""
        now = _kills()
        return None if now is None or self._kills is None else now > self._kills


def _kills() -> int | None:
    try:
        lines = _VMSTAT.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
