"""Commits that nobody hears of: the server does what it was asked, and the connection is cut before it says so."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request
import uuid

import pytest

from fault.checker import Promise
from fault.lab import Lab, size
from riverrun import Client, Unique
from riverrun.errors import DatabaseUnavailable
from support.eventually import eventually_sync
from support.ports import free_port
from support.proxy import Proxy

CLAIM = r"SET state = 'running'"
COMPLETE = r"SET state = 'completed', finalized_at"
FINALIZE = r"SET state = held\.state,\s+attempt = CASE"
PROMOTE = r"SET state = 'available'\s+WHERE job\.id = ANY"
TICK = r"INSERT INTO riverrun_schedule_tick"
CANCEL = r"'cancel_attempted_at', now\(\)"
RESCUE = r"riverrun:quarantined"  # of the statement by which a supervisor takes jobs back


@pytest.mark.quick
def test_claims_that_nobody_heard_of_are_given_back(lab: Lab) -> None:
    """D7, claim: the jobs are marked as running, and no executor knows of them."""
    with Proxy(lab.database) as proxy:
        lab.hosts("a", database=proxy.dsn)
        with lab.producer(rate=20):
            lab.works_again()
            for _ in range(size(1, 10)):
                proxy.cut_after_commit(CLAIM)
                eventually_sync(lambda: not proxy.unused_aims, within=60)
                time.sleep(1)
        lab.settle()
        cuts = proxy.cuts

    witnessed = lab.history()
    begun = {(effect.job_id, effect.attempted_us) for effect in witnessed.effects}
    claims = [change for change in witnessed.changes if change.new_state == "running"]
    seen = [
        min(effect.at for effect in witnessed.effects if effect.job_id == claim.job_id) - claim.at
        for claim in claims
        if (claim.job_id, claim.new_attempted_us) not in begun
    ]
    lab.conclude("D7", f"claim in doubt {cuts} times", seen_after=seen, target=10.0, note="seen: until they run")
    assert cuts == size(1, 10)


@pytest.mark.parametrize(
    ("kind", "args", "pattern"),
    [("work", {"ms": 1}, COMPLETE), ("hostile", {"value": "nan"}, FINALIZE)],
    ids=["complete", "finalize"],
)
def test_results_that_nobody_heard_of_are_written_once(
    lab: Lab, kind: str, args: dict[str, object], pattern: str
) -> None:
    """D7, finalize: the executor sends the results again and finds them written."""
    with Proxy(lab.database) as proxy:
        (host,) = lab.hosts("a", database=proxy.dsn)
        with lab.producer(kind=kind, args=lambda _: args, rate=20):
            lab.works_again()
            for _ in range(size(3, 30)):
                proxy.cut_after_commit(pattern)
                eventually_sync(lambda: not proxy.unused_aims, within=60)
                time.sleep(0.3)
        lab.settle()
        cuts = proxy.cuts

    lab.conclude("D7", f"finalize in doubt {cuts} times ({kind})")
    assert cuts == size(3, 30)
    assert "attempt_superseded" not in host.said()


def test_ticks_and_promotions_that_nobody_heard_of_happen_once(lab: Lab) -> None:
    """D7, schedule tick and promotion: the leader loses its session and another term begins."""
    more = {"schedules": {"each": {"task_type": "work", "every": "1s", "missed": "all"}}}
    with Proxy(lab.database) as proxy:
        lab.hosts("a", database=proxy.dsn, more=more)
        lab.producer(args=lambda _: {"ms": 1}, delay=2.0).enqueue(50)
        for pattern in [TICK, PROMOTE, TICK] * size(1, 10):
            if pattern == PROMOTE:
                lab.producer(args=lambda _: {"ms": 1}, delay=1.0).enqueue(20)
            proxy.cut_after_commit(pattern)
            eventually_sync(lambda: not proxy.unused_aims, within=60)
            time.sleep(1.0)
        time.sleep(3)
        lab.settle()
        cuts = proxy.cuts

    lab.conclude("D7", f"tick or promotion in doubt {cuts} times")
    assert cuts == 3 * size(1, 10)


def test_a_cancellation_that_nobody_heard_of_may_be_asked_for_again(lab: Lab) -> None:
    """D7, cancel: the job is cancelled, and so is it when asked again."""
    with Proxy(lab.database) as proxy:
        lab.hosts("a")
        (running,) = lab.producer(kind="long", args=lambda _: {"ms": 30_000}).enqueue(1)
        (waiting,) = lab.producer(kind="long", args=lambda _: {"ms": 30_000}, delay=3600).enqueue(1)
        lab.begun(1)
        at = time.time()
        for job_id in (running, waiting):
            assert job_id is not None
            with Client(proxy.dsn) as client:
                client.get(job_id)
                proxy.cut_after_commit(CANCEL)
                with pytest.raises(DatabaseUnavailable):
                    client.cancel(job_id)
                client.cancel(job_id)
        lab.settle()
        seen = time.time() - at

    lab.conclude(
        "D7", "cancel in doubt 2 times", seen_after=[seen], target=5.0, promise=Promise(ends={"long": "cancelled"})
    )


def test_a_rescue_that_nobody_heard_of_happens_once(lab: Lab) -> None:
    """D7, rescue: the supervisor takes jobs back and loses its session in that moment."""
    with Proxy(lab.database) as proxy:
        (host,) = lab.hosts("a", database=proxy.dsn)
        lab.producer(kind="long", args=lambda _: {"ms": 2000}).enqueue(10)
        lab.begun(10)
        proxy.cut_after_commit(RESCUE)
        at = host.send(signal.SIGKILL, "executor")
        lab.settle()
        assert proxy.cuts == 1

    seen, again = lab.history().taken_back([at])
    witnessed = lab.conclude("D7", "rescue in doubt", seen_after=seen, target=10.0, note=lab.summary(again))
    assert len(witnessed.rescues()) == 10


def test_an_enqueue_that_nobody_heard_of_becomes_one_job_when_it_is_repeated(lab: Lab) -> None:
    """D7, enqueue: with an idempotency key over HTTP, with a unique job in Python."""
    port = free_port()
    with Proxy(lab.database) as proxy:
        lab.hosts("a", database=proxy.dsn, more={"admin": {"port": port}}, roles=("admin",))
        repeated, keys, doubts = 0, 0, 0
        while doubts < size(3, 30):
            proxy.cut_after_commit(r"^COMMIT")
            key = uuid.uuid4().hex
            first = _post(port, key)
            while (status := _post(port, key)) >= 500 or status == 409:
                repeated += 1
                assert repeated < 200
                time.sleep(0.05)
            assert status == 201
            assert first in (201, 503)
            keys += 1
            doubts += first == 503  # or else it was another commit of the admin process that nobody heard of
            assert keys < 2 * size(3, 30)
        with Client(proxy.dsn) as client:
            client.list()
            proxy.cut_after_commit(r"INSERT INTO river_job")
            unique = Unique(by_args=True)
            with pytest.raises(DatabaseUnavailable):
                client.enqueue("work", {"key": "unique"}, unique=unique)
            assert client.enqueue("work", {"key": "unique"}, unique=unique).duplicate

    lab.hosts("b")
    lab.settle()
    witnessed = lab.conclude("D7", f"enqueue in doubt {doubts + 1} times")
    births = [change for change in witnessed.changes if change.old_state is None]
    assert len(births) == keys + 1


def _post(port: int, key: str) -> int:
    body = json.dumps({"task_type": "work", "task_params": {"key": key}}).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/admin/queue/enqueue", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
