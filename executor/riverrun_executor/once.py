"""``python -m riverrun_executor.once KIND ARGS``: try a function as a handler, without a queue and without a database.

What the attempt would leave with its job goes to standard output as JSON. Exit codes: 0 completed, 8 anything else, 2
the configuration or the arguments cannot be used, 3 nothing is exported for the kind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.database.statements import Statements
from riverrun.errors import ConfigError, ResourceUnavailable
from riverrun.handlers import Handler, load_handlers
from riverrun.job import decode_json
from riverrun.outcome import Completed, Failed, Outcome
from riverrun.resources import opened
from riverrun.settings.load import load
from riverrun.settings.schema import Settings
from riverrun_executor.handlers.local import LocalHandler
from riverrun_executor.outliving import Outliving

COMPLETED, UNUSABLE, NOT_FOUND, NOT_COMPLETED = 0, 2, 3, 8


async def attempt(handler: Handler, args_text: str, settings: Settings) -> tuple[Outcome, dict[str, Any]]:
    """Run one attempt in this process; return its outcome and what it noted."""
    now = time.time_ns() // 1_000
    job = ClaimedJob((0, handler.kind, args_text, 1, 1, 1, "{}", [], 0, now, now, now), "default")
    context = Context(job, server_id=settings.server_id, incarnation="", statements=Statements())
    limit = handler.timeout or settings.river.job_timeout
    context.limit_seconds = None if limit is None else limit.total_seconds()
    threads = ThreadPoolExecutor(max_workers=1)
    outcome: Outcome
    try:
        async with opened(handler.resources), asyncio.timeout(context.limit_seconds):
            outcome = await LocalHandler(handler, threads, Outliving()).run(job, context)
    except TimeoutError:
        outcome = Failed(f"the handler did not finish within {context.limit_seconds:g} s", error_type="timeout")
    return outcome, json.loads(context.all_notes(completed=isinstance(outcome, Completed)) or "{}")


def main() -> int:
    """Run the attempt that the command line names and return its exit code."""
    parser = argparse.ArgumentParser(prog="riverrun_executor.once", description=__doc__)
    parser.add_argument("--config", type=Path)
    parser.add_argument("kind")
    parser.add_argument("args")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings = load(given.config, environ=os.environ, flags={}).settings
        handlers = load_handlers(settings.handlers.modules, settings.handlers.path)
        if given.kind not in handlers:
            there = ", ".join(sorted(handlers)) or "none; name modules in handlers.modules"
            return _refuse(f"KIND: no configured module exports {given.kind!r}; there are {there}", NOT_FOUND)
        if not isinstance(decode_json(given.args), dict):
            return _refuse("ARGS: expected a JSON object", UNUSABLE)
        outcome, notes = asyncio.run(attempt(handlers[given.kind], given.args, settings))
    except (ConfigError, ResourceUnavailable) as error:
        return _refuse(str(error), UNUSABLE)
    except ValueError:
        return _refuse("ARGS: expected a JSON object", UNUSABLE)
    said = {name: str(getattr(outcome, name)) for name in ("error", "trace", "delay") if getattr(outcome, name, None)}
    document = {"outcome": type(outcome).__name__.lower(), **said, "metadata": notes}
    print(json.dumps(document, ensure_ascii=False, indent=2))  # noqa: T201 - what the command is for
    return COMPLETED if isinstance(outcome, Completed) else NOT_COMPLETED


def _refuse(problem: str, code: int) -> int:
    print(problem, file=sys.stderr)  # noqa: T201
    return code


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a stream of text
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a thread that outlived its time limit must not hold the process
