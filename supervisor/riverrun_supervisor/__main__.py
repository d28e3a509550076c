"""``python -m riverrun_supervisor``: the daemon of one host, as ``queuectl start`` runs it."""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends us without a traceback

import argparse
import faulthandler
import sys
from pathlib import Path

from riverrun.errors import ConfigError
from riverrun.process import EXIT_CONFIG, run_to_exit_code
from riverrun.telemetry.logs import configure_logging
from riverrun_supervisor.plan import ROLES
from riverrun_supervisor.supervisor import Request, Supervisor


def main() -> int:
    """Run the daemon and return its exit code."""
    request = _request()
    try:
        supervisor = Supervisor(request)
        configure_logging("supervisor", supervisor.settings)
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log yet
        return EXIT_CONFIG
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    return run_to_exit_code(supervisor.run)


def _request() -> Request:
    parser = argparse.ArgumentParser(prog="riverrun_supervisor", description="Run the daemon in the foreground.")
    parser.add_argument("--config", type=Path, help="configuration file")
    parser.add_argument("--dev", action="store_true", help="use the embedded database whatever is configured")
    parser.add_argument("--role", action="append", choices=("all", *ROLES), help="role to run; may be repeated")
    parser.add_argument("--queue", action="append", help="queue for the executors of this host; may be repeated")
    arguments = parser.parse_args()
    roles = tuple(role for role in ROLES if {role, "all"} & set(arguments.role or ["all"]))
    queues = tuple(arguments.queue) if arguments.queue else None
    return Request(config=arguments.config, dev=arguments.dev, roles=roles, queues=queues)


if __name__ == "__main__":
    raise SystemExit(main())
