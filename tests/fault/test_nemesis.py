"""Faults in an order that nobody thought of; and what to leave running over night: `make soak HOURS=8 SEED=7`."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack

import pytest

from fault.checker import Promise
from fault.lab import SEED, Lab
from fault.nemesis import Nemesis
from support.proxy import Proxy

HOURS = float(os.environ.get("HOURS", "0"))
EACH_SECOND = {"schedules": {"each": {"task_type": "work", "every": "1s", "missed": "all"}}}


@pytest.mark.timeout(int(HOURS * 3600) + 900)
def test_nothing_is_lost_doubled_or_finished_by_the_wrong_one_whatever_happens(own_lab: Lab) -> None:
    """Soak: faults drawn by a seed, one after the other, under a mixed load."""
    names = ("a", "b", "c") if HOURS else ("a", "b")
    seconds = HOURS * 3600 or 12
    with ExitStack() as stack:
        proxies = {name: stack.enter_context(Proxy(own_lab.database)) for name in names}
        for name, proxy in proxies.items():
            own_lab.fleet.host(name, database=proxy.dsn, more=EACH_SECOND)
        own_lab.fleet.ready()
        nemesis = Nemesis(own_lab, proxies, patience=30.0 if HOURS else 3.0)
        long = stack.enter_context(own_lab.producer(kind="long", rate=1, args=lambda n: {"ms": 500 + n % 9 * 500}))
        quick = stack.enter_context(own_lab.producer(rate=100 if HOURS else 30, args=lambda n: {"ms": n % 10 * 20}))
        own_lab.works_again()
        baseline_ends = time.time() + (60 if HOURS else 2)
        time.sleep(baseline_ends - time.time())
        until = time.time() + seconds
        while time.time() < until:
            nemesis.strike()
            own_lab.works_again(90)
            time.sleep(nemesis.patience / 3)
        last = nemesis.injected[-1].healed_at
        time.sleep(60 if HOURS else 2)
        quick.stop()
        long.stop()
        own_lab.settle(180)

    struck = ", ".join(sorted({injected.name for injected in nemesis.injected}))
    promise = Promise(overlap=12.0, fault_at=baseline_ends if HOURS else None, healed_at=last + 30)
    own_lab.conclude("soak", f"{len(nemesis.injected)} faults, seed {SEED}: {struck}", promise=promise)
