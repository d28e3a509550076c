"""Hosts that may have so much memory and no more, by a control group, where the machine allows it."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.eventually import eventually_sync

_VERSION_1 = Path("/sys/fs/cgroup/memory")
_VERSION_2 = Path("/sys/fs/cgroup")


@contextmanager
def limited_memory(size: int) -> Iterator[list[str]]:
    """Give the command that a process is started with to share ``size`` bytes with its descendants; ends them all."""
    old = _VERSION_1.is_dir()
    group = (_VERSION_1 if old else _VERSION_2) / f"riverrun-fault-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    try:
        (group / ("memory.limit_in_bytes" if old else "memory.max")).write_text(str(size))
        yield ["/bin/sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh"]
    finally:
        for pid in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        eventually_sync(lambda: not (group / "cgroup.procs").read_text(), within=10)
        group.rmdir()


def no_limits() -> str | None:
    """Return why memory cannot be limited here; None when it can."""
    if os.geteuid() != 0:
        return "a limit of memory needs root"
    try:
        with limited_memory(100_000_000) as within:
            done = subprocess.run([*within, "/bin/true"], capture_output=True, text=True, timeout=10, check=False)
    except OSError as error:
        return f"this machine limits no memory: {error}"
    return done.stderr.strip() or None
