"""``python -m riverrun_executor --queue Q``: one executor process."""

from __future__ import annotations

import gc
import logging
import os
import sys

from riverrun.errors import ConfigError
from riverrun.process import run_role
from riverrun.role import RoleContext
from riverrun_executor.executor import Executor

# Jobs come and go by thousands and leave no cycles behind; the collector would look for them again and again.
GC_THRESHOLDS = (50_000, 50, 100)


async def main(context: RoleContext) -> None:
    """Work on one queue until told to stop."""
    if context.queue is None:
        raise ConfigError(["--queue: name the queue that this executor works on"])
    river = context.settings.river
    known = river.queues.get(context.queue)
    slots = context.slots or context.share_of((known and known.max_workers) or river.workers)
    gc.set_threshold(*GC_THRESHOLDS)
    gc.freeze()
    executor = Executor(context, queue=context.queue, slots=slots)
    await executor.run()
    if executor.threads_left_behind:
        # The interpreter would wait for these threads for ever; their jobs have been given back already.
        logging.shutdown()
        os._exit(0)


if __name__ == "__main__":
    sys.exit(run_role("executor", main))
