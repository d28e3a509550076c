"""An executor without jobs, whose behaviour is the name of its queue.

``crash`` ends with code 1 at once, ``stuck`` drains only when hurried, ``deaf`` not even then, ``config`` cannot use
its configuration, ``count`` counts the wakes it hears in a metric; any other drains when it is told to.
"""

from __future__ import annotations

import os

from riverrun.errors import ConfigError
from riverrun.messages import Wake
from riverrun.process import RoleContext, run_role
from riverrun.telemetry import metrics


async def main(context: RoleContext) -> None:
    if context.queue == "crash":
        os._exit(1)
    if context.queue == "config":
        raise ConfigError(["handlers.modules: nothing of that name"])
    context.pipe.on(Wake, lambda wake: metrics.fetch_jobs.labels(queue=wake.queue).observe(1))
    metrics.executor_slots.labels(queue=context.queue or "").set(context.slots or 0)
    context.ready()
    await context.draining.wait()
    if context.queue in {"stuck", "deaf"}:
        await context.hurrying.wait()
    if context.queue == "deaf":
        while True:
            pass


if __name__ == "__main__":
    raise SystemExit(run_role("executor", main))
