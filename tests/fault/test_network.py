"""A host whose network cable is pulled: nobody says goodbye to anybody."""

from __future__ import annotations

import time

from fault.checker import Promise
from fault.lab import Lab, size
from fault.network import Switch
from support.eventually import eventually_sync


def test_jobs_of_a_host_that_is_cut_off_run_elsewhere_and_it_comes_back(switched_lab: tuple[Lab, Switch]) -> None:
    """D5: a host loses its network and gets it back."""
    lab, cables = switched_lab
    database = lab.server.dsn("work", host=cables.address)
    for name in ("a", "b"):
        lab.hosts(name, database=database, within=cables.plug(name), river={"queues": {"default": {"max_workers": 10}}})
    follows = "b" if lab.leader() == "a" else "a"
    with lab.producer(rate=20, args=lambda n: {"ms": 50}):
        lab.producer(kind="long", args=lambda _: {"ms": 5000}).enqueue(20)
        eventually_sync(lambda: lab.effects("begin") >= 20, within=10)
        time.sleep(1)
        at = time.time()
        cables.pull(follows)
        try:
            eventually_sync(lambda: lab.history().rescues(), within=45, every=0.5)
            time.sleep(size(0, 15))
        finally:
            cables.put_back(follows)
        healed = time.time()
        eventually_sync(lambda: _began(lab, follows, healed), within=30, every=0.3)
    lab.settle(40)

    witnessed = lab.history()
    back = min(_began(lab, follows, healed)) - healed
    seen, again = witnessed.taken_back([at])
    lab.conclude(
        "D5", "host cut off from the database", seen_after=seen, target=15.0, promise=Promise(overlap=6.0),
        note=f"{lab.summary(again)}; works {back:.1f} s after the healing",
    )  # fmt: skip


def test_another_scheduler_leads_when_the_leader_is_cut_off(switched_lab: tuple[Lab, Switch]) -> None:
    """F9b: the host of the leader loses its network and gets it back."""
    lab, cables = switched_lab
    database = lab.server.dsn("work", host=cables.address)
    more = {"schedules": {"each": {"task_type": "work", "every": "1s", "missed": "all"}}}
    for name in ("a", "b"):
        lab.hosts(name, database=database, within=cables.plug(name), more=more)
    lab.until("EXISTS (SELECT FROM river_job)", within=10)
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
