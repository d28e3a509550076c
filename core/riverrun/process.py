"""What every process does at its start and at its end, so that a role is only its own work.

    async def main(context: RoleContext) -> None:
        ...                      # take up work
        context.ready()
        await context.draining.wait()
        ...                      # finish it; leave at once when context.hurrying is set

    raise SystemExit(run_role("scheduler", main))

Signals: SIGTERM and SIGINT drain, a second one hurries, SIGHUP reloads, SIGUSR1 writes the stack of every thread to
stderr. A child whose supervisor has died is killed by the kernel (Linux) or hurries (elsewhere): nobody renews its
lease any more, so its jobs will soon run again on another host.

Exit codes: 0 clean, 1 crash, 2 the configuration cannot be used, 6 the database cannot be used.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import faulthandler
import logging
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from riverrun.errors import ConfigError, DatabaseUnavailable, RiverrunError, SchemaError
from riverrun.messages import Alive, Drain, HostMetrics, Hurry, Reload
from riverrun.pipe import ChildPipe
from riverrun.role import RoleContext
from riverrun.settings.load import load
from riverrun.tasks import end
from riverrun.telemetry import logs

log = logging.getLogger(__name__)

__all__ = ["RoleContext", "new_incarnation", "run_role", "run_to_exit_code"]

EXIT_CLEAN, EXIT_CRASH, EXIT_CONFIG, EXIT_DATABASE = 0, 1, 2, 6
BEAT_SECONDS = 1.0
PR_SET_PDEATHSIG = 1


def new_incarnation(server_id: str) -> str:
    """Return a name for one life of a process: its host, who named it, and enough chance to be unique for ever.

    The scheduler tells executors of ours from River's own clients by this form.
    """
    return f"{server_id}_{os.getpid()}_{secrets.token_hex(4)}"


def run_role(role: str, main: Callable[[RoleContext], Awaitable[None]]) -> int:
    """Run ``main`` as a process of its own and return the exit code; see the module for what is around it."""
    arguments = _arguments(role)
    pipe = ChildPipe.from_environment()
    die_with(pipe.parent_pid())
    try:
        loaded = load(arguments.config, environ=os.environ, flags={})
        incarnation = arguments.incarnation or new_incarnation(loaded.settings.server_id)
        logs.configure_logging(role, loaded.settings, incarnation=incarnation)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log yet
        return EXIT_CONFIG
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)

    async def run() -> int:
        context = RoleContext(
            role=role,
            settings=loaded.settings,
            config_path=loaded.file,
            queue=arguments.queue,
            slots=arguments.slots,
            share=arguments.share,
            isolated=arguments.isolated,
            incarnation=incarnation,
            pipe=pipe,
        )
        await _live(context, main)
        return EXIT_CLEAN

    return run_to_exit_code(run, loop_factory=_uvloop())


def run_to_exit_code(
    run: Callable[[], Coroutine[Any, Any, int]],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> int:
    """Run ``run`` on a loop of its own and return its exit code; log what it raises and return the code for that."""
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(run())
    except ConfigError as error:
        for problem in error.problems:
            log.error("configuration_refused", extra={"problem": problem})
        return EXIT_CONFIG
    except (SchemaError, DatabaseUnavailable) as error:
        log.error("database_not_usable", extra={"error": str(error)})
        return EXIT_DATABASE
    except RiverrunError as error:
        log.error("process_refused", extra={"error": str(error)})
        return EXIT_CRASH
    except Exception:
        log.exception("process_crashed")
        return EXIT_CRASH


async def _live(context: RoleContext, main: Callable[[RoleContext], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, context.stop)
    loop.add_signal_handler(signal.SIGHUP, context.reload.set)
    await _open(context)
    beat = asyncio.create_task(_beat(context), name="beat")
    try:
        await main(context)
    finally:
        await end([beat])
        context.flush_metrics()
        await context.pipe.close()


async def _open(context: RoleContext) -> None:
    def hurry() -> None:
        context.draining.set()
        context.hurrying.set()

    pipe = context.pipe
    pipe.on(Drain, lambda _: context.draining.set())
    pipe.on(Hurry, lambda _: hurry())
    pipe.on(Reload, lambda _: context.reload.set())
    pipe.on(HostMetrics, context.answered)
    pipe.on_close(hurry)
    await pipe.open()


async def _beat(context: RoleContext) -> None:
    """Show that the loop runs, and bring the figures along."""
    while context.pipe.is_open:
        context.pipe.send(Alive(context.progress))
        context.flush_metrics()
        await asyncio.sleep(BEAT_SECONDS)


def _arguments(role: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"riverrun_{role}", description=f"Run one {role} process in the foreground.")
    parser.add_argument("--config", type=Path, help="configuration file")
    parser.add_argument("--queue", help="queue to work on (executor)")
    parser.add_argument("--slots", type=int, help="jobs that may run at once (executor)")
    parser.add_argument("--share", type=_share, default=(0, 1), help="which of how many executors of the queue: 0/3")
    parser.add_argument("--isolated", action="store_true", help="run only jobs that crashed before (executor)")
    parser.add_argument("--incarnation", help="name of this life of the process, given by the supervisor")
    return parser.parse_args()


def _share(text: str) -> tuple[int, int]:
    number, _, of = text.partition("/")
    return int(number), int(of)


def die_with(parent: int | None) -> None:
    """Let the kernel kill this process when its parent dies, also if that has happened already."""
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - it may be absent
    except ImportError:
        return None
    return uvloop.new_event_loop
