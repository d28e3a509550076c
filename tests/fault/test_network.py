"""A host whose network cable is pulled, so that nobody says goodbye to anybody, and one whose network is slow."""

from __future__ import annotations

import time
from contextlib import ExitStack

from fault.checker import Promise
from fault.lab import Lab, size
from fault.network import Switch
from support.eventually import eventually_sync
from support.proxy import Proxy


def test_jobs_of_a_host_that_is_cut_off_run_elsewhere_and_it_comes_back(switched_lab: tuple[Lab, Switch]) -> None:
    """D5: a host loses its network and gets it back."""
    lab, cables = switched_lab
    database = lab.server.dsn("work", host=cables.address)
    for name in ("a", "b"):
        lab.hosts(name, database=database, within=cables.plug(name), river={"queues": {"default": {"max_workers": 10}}})
    follows = "b" if lab.leader() == "a" else "a"
    with lab.producer(rate=20, args=lambda n: {"ms": 50}):
        lab.producer(kind="long", args=lambda _: {"ms": 5000}).enqueue(20)
        lab.begun(20)
        time.sleep(1)
        at = time.time()
        cables.pull(follows)
        try:
            eventually_sync(lambda: lab.history().rescues(), within=60, every=0.5)
            time.sleep(size(0, 15))
        finally:
            cables.put_back(follows)
        healed = time.time()
        eventually_sync(lambda: _began(lab, follows, healed), within=60, every=0.3)
    lab.settle()

    witnessed = lab.history()
    back = min(_began(lab, follows, healed)) - healed
    seen, again = witnessed.taken_back([at])
    lab.conclude(
        "D5", "host cut off from the database", seen_after=seen, target=15.0, promise=Promise(overlap=6.0),
        note=f"{lab.summary(again)}; works {back:.1f} s after the healing",
    )  # fmt: skip


def test_a_slow_network_is_taken_for_no_death(lab: Lab) -> None:
    """D8: 200 ms and 1 Mbit/s between each host and the database."""
    seconds = size(20, 600)
    with ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(lab.database)) for _ in "ab"]
        for name, proxy in zip("ab", proxies, strict=True):
            lab.hosts(name, database=proxy.dsn)
        with lab.producer(rate=10, args=lambda n: {"ms": 50 + n % 5 * 400}):
            lab.works_again()
            for proxy in proxies:
                proxy.delay(0.2)
                proxy.throttle(125_000)
            at = time.time()
            time.sleep(seconds)
            lab.works_again()
            flaps = [term for term in lab.history().terms if term.at > at]
            for proxy in proxies:
                proxy.heal()
        lab.settle()

        witnessed = lab.conclude(
            "D8", f"200 ms and 1 Mbit/s for {seconds} s", note=f"{len(flaps)} changes of the leader"
        )
        assert not flaps
        assert not witnessed.rescues()
        lab.fleet.close()


def test_another_scheduler_leads_when_the_leader_is_cut_off(switched_lab: tuple[Lab, Switch]) -> None:
    """F9b: the host of the leader loses its network and gets it back."""
    lab, cables = switched_lab
    database = lab.server.dsn("work", host=cables.address)
    more = {"schedules": {"each": {"task_type": "work", "every": "1s", "missed": "all"}}}
    for name in ("a", "b"):
        lab.hosts(name, database=database, within=cables.plug(name), more=more)
    lab.until("EXISTS (SELECT FROM river_job)", within=60)
    seen = []
    for _ in range(size(1, 10)):
        leads = lab.leader()
        assert leads is not None
        at = time.time()
        cables.pull(leads)
        try:
            seen.append(lab.next_term(at))
        finally:
            cables.put_back(leads)
        time.sleep(3)

    lab.conclude("F9b", f"leader cut off {len(seen)} times", seen_after=seen, target=6.0)


def _began(lab: Lab, host: str, after: float) -> list[float]:
    """Return when jobs began on a host ``after`` a moment."""
    effects = (effect for effect in lab.history().effects if effect.executor.startswith(f"{host}:"))
    return [effect.at for effect in effects if effect.phase == "begin" and effect.at > after]
