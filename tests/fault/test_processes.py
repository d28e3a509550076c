"""Processes that are killed, crash, freeze, hold the interpreter, or are told to stop at a bad moment."""

from __future__ import annotations

import signal
import time

import pytest

from fault.checker import Promise
from fault.lab import Lab, size
from support.eventually import eventually_sync


def test_killed_executors_lose_no_job_and_their_jobs_run_again_at_once(lab: Lab) -> None:
    """F1: an executor is killed again and again under load."""
    (host,) = lab.hosts("a", river={"queues": {"default": {"max_workers": 20}}})
    kills: list[tuple[float, float]] = []
    with lab.producer(rate=size(60, 200), args=lambda n: {"ms": 20 + n % 7 * 30}):
        for _ in range(size(4, 200)):
            time.sleep(lab.random.uniform(0.8, 1.6))
            at = host.send(signal.SIGKILL, "executor")
            host.child_pid("executor")
            kills.append((at, time.time()))
    lab.settle(60)

    rescues = lab.history().rescues()
    seen = [min(kill[0] - r.at for kill in kills if kill[0] <= r.at) for r in rescues]
    seen = [r.at - max(kill[0] for kill in kills if kill[0] <= r.at) for r in rescues]
    began = lab.history()
    again = [
        min(e.at for e in began.effects if e.job_id == r.job_id and e.phase == "begin" and e.at > r.at)
        - max(kill[0] for kill in kills if kill[0] <= r.at)
        for r in rescues
    ]
    again.sort()
    lab.conclude(
        "F1", f"executor killed {len(kills)} times under load", seen_after=seen, target=2.0, promise=Promise(slots=20),
        note=f"run again after p50 {again[len(again) // 2]:.2f} s, max {again[-1]:.2f} s",
    )  # fmt: skip
