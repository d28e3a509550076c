"""A scheduler that leads nothing."""

from __future__ import annotations

from riverrun.process import RoleContext, run_role
from riverrun.telemetry import metrics


async def main(context: RoleContext) -> None:
    metrics.leader.set(1)
    context.ready()
    await context.draining.wait()


if __name__ == "__main__":
    raise SystemExit(run_role("scheduler", main))
