"""Whoever subscribes hears of every attempt that ends anywhere in the fleet, and of queues that are paused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import psycopg
import pytest

import riverrun
from riverrun import AsyncClient, Client, DatabaseUnavailable, Event, EventKind, InvalidInput, JobState
from riverrun.database.statements import Statements
from riverrun.events import MAX_PAYLOAD_BYTES, News, payloads, understood
from riverrun.store import events, queues
from support import handlers
from support.contexts import settings_for
from support.eventually import eventually, eventually_sync
from support.executors import RunningExecutor, running_executor
from support.proxy import Proxy

WITHIN = 15.0
LISTENING = """
SELECT pid FROM pg_stat_activity
WHERE application_name = 'riverrun/client/events' AND query LIKE '%pg_advisory_lock_shared%' AND state = 'idle'
"""


async def subscribed(executor: RunningExecutor) -> None:
    """Wait until an executor knows that somebody subscribes."""
    await eventually(lambda: executor.executor._feed.open, within=WITHIN)


async def heard(stream: AsyncIterator[Event], count: int) -> list[Event]:
    """Return so many events, and close their connection."""
    found: list[Event] = []
    async with asyncio.timeout(WITHIN), aclosing(stream):  # type: ignore[type-var]  # it is an async generator
        async for event in stream:
            found.append(event)
            if len(found) == count:
                break
    return found


async def test_every_ending_is_told_with_what_became_of_the_job(client: AsyncClient, database: str) -> None:
    kinds = ["noop", "fail", "cancel", "snooze"]
    listening = asyncio.create_task(heard(client.subscribe(), len(kinds)), name="subscriber")

    async with running_executor(settings_for(database)) as executor:
        await subscribed(executor)
        ids = {(await client.enqueue(kind, {})).job.id: kind for kind in kinds}
        told = await listening

    assert {(ids[event.job_id], event.kind, event.state) for event in told} == {
        ("noop", EventKind.COMPLETED, JobState.COMPLETED),
        ("fail", EventKind.FAILED, JobState.AVAILABLE),
        ("cancel", EventKind.CANCELLED, JobState.CANCELLED),
        ("snooze", EventKind.SNOOZED, JobState.SCHEDULED),
    }
    for event in told:
        assert (event.queue, event.attempt, event.job_kind) == ("default", 1, ids[event.job_id])
        assert event.run_seconds >= 0


async def test_an_attempt_that_a_stop_interrupts_is_told(client: AsyncClient, database: str) -> None:
    handlers.gate.close()
    stream = client.subscribe(["interrupted"])
    listening = asyncio.create_task(heard(stream, 1), name="subscriber")

    async with running_executor(settings_for(database)) as executor:
        await subscribed(executor)
        job = (await client.enqueue("gate", {})).job
        await eventually(executor.executor.running, within=WITHIN)

    (event,) = await listening
    assert (event.job_id, event.state) == (job.id, JobState.AVAILABLE)


async def test_nothing_is_gathered_and_nobody_told_while_nobody_subscribes(client: AsyncClient, database: str) -> None:
    async with running_executor(settings_for(database)) as executor:
        await client.enqueue("noop", {})
        await eventually(lambda: executor.context.progress == 1, within=WITHIN)

        assert not executor.executor._feed.open
        assert executor.executor.take_events() is None


async def test_subscribers_are_seen_for_as_long_as_their_connection_lives(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as conn, psycopg.connect(database, autocommit=True) as other:
        assert not Statements().run_sync(conn, events.wanted())
        Statements().run_sync(other, events.subscribe())
        assert Statements().run_sync(conn, events.wanted())
        other.close()
        await eventually(lambda: not Statements().run_sync(conn, events.wanted()), within=WITHIN)


def test_a_blocking_client_hears_of_queues_whoever_pauses_them(database: str) -> None:
    told: list[Event] = []
    with Client(database) as client, psycopg.connect(database, autocommit=True) as conn:
        client.run(queues.announce("mail"))
        listener = threading.Thread(
            target=lambda: told.extend(client.subscribe(["queue_paused", "queue_resumed"], timeout=2))
        )
        listener.start()
        eventually_sync(lambda: Statements().run_sync(conn, events.wanted()), within=WITHIN)

        client.pause_queue("mail")
        client.resume_queue("*")
        listener.join(WITHIN)

    assert told == [Event(EventKind.QUEUE_PAUSED, "mail"), Event(EventKind.QUEUE_RESUMED, "*")]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["pause a", "pause a", "resume a", "resume a", "pause a"], ["pause a", "resume a", "pause a"]),
        (["pause *", "pause *", "pause a", "resume a", "resume *"], ["pause *", "resume a", "resume *"]),
        (["pause a", "pause *", "pause a"], ["pause a", "pause *"]),
        (["resume a", "pause b"], ["resume a", "pause b"]),
    ],
)
def test_a_pause_that_is_asked_for_again_is_told_once(asked: list[str], told: list[str]) -> None:
    kinds = {"pause": EventKind.QUEUE_PAUSED, "resume": EventKind.QUEUE_RESUMED}
    news = News()

    new = [words for words in asked if news.has(Event(kinds[words.split()[0]], words.split()[1]))]

    assert new == told


async def test_a_lost_connection_is_opened_anew_and_the_gap_is_told(client: AsyncClient, database: str) -> None:
    await client.run(queues.announce("mail"))
    listening = asyncio.create_task(heard(client.subscribe(["queue_paused"]), 2), name="subscriber")

    with psycopg.connect(database, autocommit=True) as conn:
        await eventually(lambda: _listeners(conn), within=WITHIN)
        (first,) = _listeners(conn)
        conn.execute("SELECT pg_terminate_backend(%s)", (first,))
        await eventually(lambda: set(_listeners(conn)) - {first}, within=WITHIN)
        await client.pause_queue("mail")
        told = await listening

    assert [event.kind for event in told] == [EventKind.MISSED, EventKind.QUEUE_PAUSED]


async def test_what_an_executor_told_when_its_connection_was_lost_is_followed_by_word_of_a_gap(
    client: AsyncClient, database: str
) -> None:
    listening = asyncio.create_task(heard(client.subscribe(["completed"]), 3), name="subscriber")

    with Proxy(database) as proxy:
        async with running_executor(settings_for(proxy.dsn)) as executor:
            await subscribed(executor)
            proxy.cut_after_commit(r"\.riverrun_event")
            first = (await client.enqueue("noop", {})).job
            await eventually(lambda: proxy.cuts == 1, within=WITHIN)
            second = (await client.enqueue("noop", {})).job
            told = await listening

    assert [(event.kind, event.job_id) for event in told] == [
        (EventKind.COMPLETED, first.id),
        (EventKind.MISSED, 0),
        (EventKind.COMPLETED, second.id),
    ]


def _listeners(conn: psycopg.Connection[Any]) -> list[int]:
    """Return the sessions that have just begun to listen."""
    return [row[0] for row in conn.execute(LISTENING.encode())]


async def test_a_wrong_address_is_told_at_once() -> None:
    async with AsyncClient("host=127.0.0.1 port=1 dbname=x") as client:
        with pytest.raises(DatabaseUnavailable):
            await anext(client.subscribe())


@pytest.mark.parametrize("kinds", ["failed", ["exploded"]])
async def test_what_is_no_kind_of_event_is_refused(client: AsyncClient, kinds: Any) -> None:
    with pytest.raises(InvalidInput, match="kinds: "):
        client.subscribe(kinds)


@pytest.mark.parametrize("timeout", [0, -1, True, "5"])
async def test_what_is_no_time_is_refused(client: AsyncClient, timeout: Any) -> None:
    with pytest.raises(InvalidInput, match="timeout: "):
        client.subscribe(timeout=timeout)


async def test_functions_of_the_executor_hear_of_every_ending(
    client: AsyncClient, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riverrun.extensions._registered", {})
    told: list[Event] = []

    @riverrun.on_event()
    def broken(event: Event) -> None:
        raise ValueError

    riverrun.on_event()(told.append)

    async with running_executor(settings_for(database)) as executor:
        await client.enqueue_many([{"kind": "noop", "args": {}}] * 200)
        await eventually(lambda: executor.context.progress == 200, within=WITHIN)

    assert len({event.job_id for event in told}) == 200
    with pytest.raises(TypeError, match="must be a plain function"):

        @riverrun.on_event()
        async def slow(event: Event) -> None: ...


def test_many_events_travel_in_payloads_that_postgresql_takes() -> None:
    told = [
        Event(EventKind.COMPLETED, "queue-é", number, "k" * 100, 1, JobState.COMPLETED, 0.5) for number in range(999)
    ]

    sent = payloads(told)

    assert all(len(payload.encode()) <= MAX_PAYLOAD_BYTES for payload in sent)
    assert len(sent) > 10
    assert [event for payload in sent for event in understood("riverrun_event", payload)] == told
    assert payloads([]) == []


@pytest.mark.parametrize("payload", ["", "1", "{}", '[["exploded"]]', "null", '[["completed","q"]]'])
def test_a_notification_of_a_later_release_is_passed_over(payload: str) -> None:
    for topic in ("riverrun_event", "river_control"):
        assert list(understood(topic, payload)) == []
