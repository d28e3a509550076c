"""Handlers that crash their process, take all of its memory, hold everything up, or do not listen."""

from __future__ import annotations

import time

import pytest

from fault.checker import Promise
from fault.lab import Lab, size
from fault.memory import limited_memory, no_limits
from riverrun import Client
from support.eventually import eventually_sync

MEGABYTES = 600
"""For a host: four processes of some 70 MB, and what a handler takes until the kernel has had enough."""


def test_a_handler_that_takes_all_memory_is_named_and_its_neighbours_lose_nothing(lab: Lab) -> None:
    """F2: a handler takes all the memory that its host may have."""
    if reason := no_limits():
        pytest.skip(reason)
    with limited_memory(MEGABYTES * 1_000_000) as within:
        lab.hosts("a", within=within)
        with lab.producer(rate=20, args=lambda n: {"ms": 50 + n % 5 * 50}):
            lab.works_again()
            (hog,) = lab.producer(kind="hog").enqueue(1)
            lab.until(f"(SELECT state = 'discarded' FROM river_job WHERE id = {hog})", within=90)
            lab.works_again()
        lab.settle()

    witnessed = lab.history()
    steps = [effect.at for effect in witnessed.effects if effect.job_id == hog]
    seen = [
        rescue.at - max(at for at in steps if at < rescue.at) for rescue in witnessed.rescues() if rescue.job_id == hog
    ]
    lab.conclude(
        "F2", f"a handler takes {MEGABYTES} MB, {len(seen)} times", seen_after=seen, target=2.0,
        promise=Promise(ends={"hog": "discarded"}),
    )  # fmt: skip
    errors = lab.rows(f"SELECT error ->> 'error' FROM river_job, unnest(errors) AS error WHERE id = {hog}")
    assert errors
    assert all("(oom)" in error for (error,) in errors)
    assert lab.rows("SELECT DISTINCT attempt FROM river_job WHERE kind = 'work'") == [(1,)]


@pytest.mark.quick
def test_a_segfault_takes_no_other_job_with_it_for_good(lab: Lab) -> None:
    """F3: handlers crash their process once each, among good jobs."""
    lab.hosts("a")
    with lab.producer(rate=30, args=lambda _: {"ms": 20}):
        for _ in range(size(2, 20)):
            lab.works_again()
            lab.producer(kind="segfault").enqueue(1)
            time.sleep(1.0)
        lab.works_again()
    lab.settle()

    witnessed = lab.history()
    crashed = [rescue for rescue in witnessed.rescues() if rescue.kind == "segfault"]
    begun = {(effect.job_id, effect.attempted_us): effect.at for effect in witnessed.effects if effect.phase == "begin"}
    seen = [rescue.at - begun[rescue.job_id, rescue.old_attempted_us or 0] for rescue in crashed]
    lab.conclude("F3", f"{len(crashed)} handlers crash the process", seen_after=seen, target=2.0)


@pytest.mark.parametrize(
    ("kind", "fault"), [("hold_gil", "F10"), ("block_loop", "F11")], ids=["interpreter", "event-loop"]
)
def test_a_handler_that_holds_everything_up_is_told_and_nothing_runs_twice(lab: Lab, kind: str, fault: str) -> None:
    """F10, F11: a handler holds the interpreter or the event loop for longer than a lease."""
    (host,) = lab.hosts("a")
    lab.producer(kind=kind, args=lambda _: {"ms": size(14_000, 60_000)}, timeout=120).enqueue(1)
    lab.begun(1)
    at = time.time()

    eventually_sync(lambda: not host.child("executor")["answering"], within=60, every=0.1)
    alarm = time.time() - at
    lab.settle(90)

    witnessed = lab.conclude(
        fault, f"{kind} for {size(14, 60)} s", seen_after=[alarm], target=10.0, note="seen: shown as not answering"
    )
    assert not witnessed.rescues()


def test_plain_functions_that_never_listen_cost_their_process_and_not_its_slots(lab: Lab) -> None:
    """F12: plain functions ignore that they are cancelled."""
    (host,) = lab.hosts("a", river={"queues": {"default": {"max_workers": 4}}})
    first = host.child_pid("executor")
    hung = lab.producer(kind="hung", args=lambda _: {"ms": 120_000}).enqueue(2)
    lab.begun(2)

    at = time.time()
    with Client(lab.database) as client:
        for job_id in filter(None, hung):
            client.cancel(job_id)
    ended = lab.until("(SELECT count(*) = 2 FROM river_job WHERE state = 'cancelled')", within=60) - at
    eventually_sync(lambda: host.child("executor")["pid"] not in {first, None}, within=60, every=0.1)
    replaced = time.time() - at

    lab.producer(kind="long", args=lambda _: {"ms": 4000}).enqueue(4)
    lab.settle()
    witnessed = lab.conclude(
        "F12", "2 plain functions that ignore a cancellation", seen_after=[ended], target=12.0,
        promise=Promise(ends={"hung": "cancelled"}), note=f"another process after {replaced:.1f} s",
    )  # fmt: skip
    at_once = [effect for effect in witnessed.effects if effect.at > at and effect.phase in {"begin", "done"}]
    assert [effect.phase for effect in at_once] == ["begin"] * 4 + ["done"] * 4, "not all four slots work at once"
