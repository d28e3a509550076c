"""What the kernel knows about a process that the process itself cannot say (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STOPPED = frozenset("Tt")
"""Stopped by a signal, and stopped by a debugger."""


def boot() -> str:
    """Return the name of this machine's present run; empty where the kernel does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def is_stopped(pid: int) -> bool:
    """Return whether a process is stopped, so that no part of it runs; False where the kernel does not tell."""
    try:
        # The name of the program comes before it, in parentheses, and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] in _STOPPED
    except (OSError, IndexError):
        return False


def peak_bytes(pid: int) -> int | None:
    """Return the most memory that a process has had resident; None where the kernel does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
    except (OSError, ValueError):
        return None


def resident_bytes(pid: int) -> int | None:
    """Return the resident memory of a process; None where the kernel does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return None
