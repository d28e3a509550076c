"""Starts one process of the plan, by exec: a fork of a process with threads or sockets is not safe to use."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from riverrun.pipe import ParentPipe
from riverrun_supervisor.plan import ChildPlan


@dataclasses.dataclass(frozen=True)
class Launch:
    """How processes are started.

    Attributes:
        modules: What ``python -m`` is given for each role.
        config: The configuration file, if there is one.
        environment: The whole environment of a child, without what belongs to the pipe.
        server_id: First part of the names of incarnations.
    """

    modules: Mapping[str, str]
    config: Path | None
    environment: Mapping[str, str]
    server_id: str

    async def spawn(self, plan: ChildPlan, incarnation: str, pipe: ParentPipe) -> asyncio.subprocess.Process:
        """Start the process with its end of ``pipe``, which is closed here.

        Raises:
            OSError: The operating system has no room for it.
        """
        config = [] if self.config is None else ["--config", str(self.config)]
        # -P: what lies in the working folder must not replace our modules.
        # A process group of its own: the terminal's Ctrl-C reaches the supervisor alone, which then drains.
        # What an isolated executor writes is kept with a job that it is killed by; the others write for themselves.
        stdout, stderr = (asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT) if plan.isolated else (None, None)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", self.modules[plan.role], *config, *plan.arguments, "--incarnation", incarnation,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(pipe.child_end.fileno(),),
            env={**self.environment, **pipe.environment()},
            process_group=0,
            stdout=stdout,
            stderr=stderr,
        )  # fmt: skip
        pipe.child_end.close()
        return process


def child_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return our own environment without what systemd meant for the supervisor alone."""
    ours = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
    return {name: value for name, value in environ.items() if name not in ours}
