"""Names the machine and the server that were measured, and who else used the processors meanwhile.

Figures without these are worth nothing: a processor that is shared gives any result.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_SETTINGS = (
    "shared_buffers", "fsync", "synchronous_commit", "full_page_writes", "max_wal_size", "wal_compression", "io_method",
)  # fmt: skip


def facts() -> dict[str, object]:
    """Return what this machine is."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }


def server_facts(conn: Connection[Any]) -> dict[str, object]:
    """Return version and settings of the server, as far as they decide its speed."""
    rows = conn.execute("SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY (%s)", [list(_SETTINGS)])
    return {"version": str(conn.info.parameter_status("server_version")), **dict(sorted(rows.fetchall()))}


def server_process(conn: Connection[Any]) -> int | None:
    """Return the process id of the server if it runs on this host, as far as that can be seen."""
    (backend,) = conn.execute("SELECT pg_backend_pid()").fetchone() or (0,)
    try:
        name, fields = _stat(backend)
    except (OSError, ValueError):
        return None
    return int(fields[1]) if name == "postgres" and backend == conn.info.backend_pid else None


@dataclass(frozen=True, slots=True)
class CpuShares:
    """How the time of all processors was used, in parts of 1: by us and the server, by others, by other machines."""

    ours: float
    others: float
    stolen: float


class CpuWatch:
    """Measures who uses the processors from now on.

    Args:
        roots: Processes that count as ours, with everything they start.
    """

    def __init__(self, roots: Iterable[int | None]) -> None:
        self._roots = [root for root in roots if root is not None]
        self._before = self._look()

    def shares(self) -> CpuShares | None:
        """Return the shares since the watch began; ``None`` where the system does not tell."""
        now = self._look()
        if self._before is None or now is None:
            return None
        total, busy, stolen, ours = (after - before for after, before in zip(now, self._before, strict=True))
        if total <= 0:
            return None
        others = max(0.0, busy - stolen - ours)
        return CpuShares(ours=round(ours / total, 4), others=round(others / total, 4), stolen=round(stolen / total, 4))

    def _look(self) -> tuple[float, float, float, float] | None:
        """Return ticks in all, busy, stolen and ours."""
        try:
            first = (_PROC / "stat").read_text(encoding="ascii").splitlines()[0]
        except OSError:
            return None
        ticks = [int(field) for field in first.split()[1:9]]  # user nice system idle iowait irq softirq steal
        busy = sum(ticks) - ticks[3] - ticks[4]
        return sum(ticks), busy, ticks[7], tree_seconds(self._roots) * _TICKS


def tree_seconds(roots: Iterable[int]) -> float:
    """Return the processor time of processes and of all they started, in seconds, ended children included."""
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for entry in _PROC.glob("[0-9]*"):
        with suppress(OSError, ValueError):
            pid = int(entry.name)
            _, fields = _stat(pid)
            children.setdefault(int(fields[1]), []).append(pid)
            ticks[pid] = sum(int(field) for field in fields[11:15])  # own user and system time, and ended children's
    waiting, total = list(roots), 0
    while waiting:
        pid = waiting.pop()
        total += ticks.get(pid, 0)
        waiting += children.get(pid, [])
    return total / _TICKS


def process_seconds(pids: Iterable[int]) -> float:
    """Return the processor time that these processes used themselves, in seconds; 0 where the system does not tell."""
    total = 0
    for pid in pids:
        with suppress(OSError, ValueError):
            total += sum(int(field) for field in _stat(pid)[1][11:13])
    return total / _TICKS


def resident_bytes(pid: int) -> int:
    """Return the memory of a process that is in RAM; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int((_PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _stat(pid: int) -> tuple[str, list[str]]:
    """Return name and further fields of a process; the name may hold anything, so it is cut out from both ends."""
    text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    name, _, rest = text.partition("(")[2].rpartition(")")
    return name, rest.split()


def _cpu_model() -> str:
    with suppress(OSError):
        for line in (_PROC / "cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or sys.platform
