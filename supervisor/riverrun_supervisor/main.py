"""Reads the command line of the daemon and runs it."""

from __future__ import annotations

import argparse
import faulthandler
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from riverrun.errors import ConfigError
from riverrun.process import EXIT_CONFIG, run_to_exit_code
from riverrun.telemetry.logs import configure_logging
from riverrun_supervisor.configuration import Request
from riverrun_supervisor.plan import MODULES, ROLES
from riverrun_supervisor.supervisor import Supervisor


def main(arguments: Sequence[str] | None = None, *, modules: Mapping[str, str] = MODULES) -> int:
    """Run the daemon and return its exit code.

    Args:
        arguments: Command line; None takes that of this process.
        modules: What ``python -m`` is given for each role; another table lets other programs play the roles.
    """
    try:
        supervisor = Supervisor(_request(arguments), modules=modules)
        configure_logging("supervisor", supervisor.settings)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log yet
        return EXIT_CONFIG
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    return run_to_exit_code(supervisor.run)


def _request(given: Sequence[str] | None) -> Request:
    parser = argparse.ArgumentParser(prog="riverrun_supervisor", description="Run the daemon in the foreground.")
    parser.add_argument("--config", type=Path, help="configuration file")
    parser.add_argument("--dev", action="store_true", help="embedded database; edited handlers are taken up")
    parser.add_argument("--role", action="append", choices=("all", *ROLES), help="role to run; may be repeated")
    parser.add_argument("--queue", action="append", help="queue for the executors of this host; may be repeated")
    arguments = parser.parse_args(given)
    roles = tuple(role for role in ROLES if {role, "all"} & set(arguments.role or ["all"]))
    queues = tuple(arguments.queue) if arguments.queue else None
    return Request(config=arguments.config, dev=arguments.dev, roles=roles, queues=queues)
