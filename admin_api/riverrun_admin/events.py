"""Tell every page that watches what has changed, with one look a second for all of them.

    subscribe(topics) ─▶ look: read what is watched ─▶ changed? ─▶ encode once ─▶ offer to each that watches it

An event is the whole present state of its topic. So a reader that is slow is given the newest one only, and a reader
that comes back is given what it has missed, whatever it was. Nobody watches: nothing is read.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn

import psycopg

from riverrun.database.connect import first_line
from riverrun.errors import NotFound, RiverrunError
from riverrun.masking import Mask
from riverrun.store import bulk_operations
from riverrun.store.watching import watch
from riverrun.waiting import happened
from riverrun_admin.database import Database
from riverrun_admin.documents import bulk_document, encoded, queue_document, statistics_document, watched_document
from riverrun_admin.overview import Overview
from riverrun_admin.problems import Problem
from riverrun_admin.topics import BULK, OVERVIEW, ids_of, parted

log = logging.getLogger(__name__)

MOST_READERS = 500
LOOK_SECONDS = 1.0
DEBOUNCE_SECONDS = 0.25
PING_SECONDS = 15.0
PING = b": ping\n\n"
RETRY = b"retry: 3000\n\n"


@dataclass(frozen=True, slots=True)
class Event:
    """The state of a topic; ``body`` is what two states are compared by, ``line`` what is sent."""

    number: int
    body: bytes
    line: bytes


@dataclass(eq=False, slots=True)
class Reader:
    """One stream: what it watches, and the events that it has not been sent yet, one a topic."""

    topics: frozenset[str]
    waiting: dict[str, bytes] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, topic: str, event: Event) -> None:
        self.waiting[topic] = event.line
        self.news.set()

    async def events(self) -> AsyncIterator[bytes]:
        """Yield what is to be sent, for ever; a ping when there was nothing for 15 seconds."""
        yield RETRY
        while True:
            if not await happened(self.news, within=PING_SECONDS):
                yield PING
                continue
            self.news.clear()
            lines, self.waiting = self.waiting, {}
            yield b"".join(lines.values())


class Events:
    """Looks while somebody watches, and hands out what has changed.

    Args:
        database: Where to look.
        overview: The statistics.
        mask: Gives what is not shown now.
    """

    def __init__(self, database: Database, overview: Overview, mask: Callable[[], Mask]) -> None:
        self._database = database
        self._mask = mask
        self._overview = overview
        self._readers: set[Reader] = set()
        self._last: dict[str, Event] = {}
        self._number = 0
        # Tells the events of this process from those that a reader had from another one.
        self._life = secrets.token_hex(4)
        self._look_now = asyncio.Event()
        self._watched = asyncio.Event()

    @contextmanager
    def subscribe(self, topics: frozenset[str], last_id: str | None) -> Iterator[Reader]:
        """Give a reader of ``topics``, which is offered at once what is newer than ``last_id``.

        Raises:
            Problem: 429, there are too many readers.
        """
        if len(self._readers) >= MOST_READERS:
            detail = f"{MOST_READERS} streams are open already"
            raise Problem(429, "too-many-requests", detail, headers={"Retry-After": "10"})
        reader, seen = Reader(topics), self._seen(last_id)
        for topic in topics:
            event = self._last.get(topic)
            if event is not None and event.number > seen:
                reader.offer(topic, event)
        self._readers.add(reader)
        self._watched.set()
        self.look_now()
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    def look_now(self) -> None:
        """Do not wait for the next second: something was changed."""
        self._look_now.set()

    async def run(self) -> NoReturn:
        """Look once a second while somebody watches, sooner after a change but at most four times a second."""
        while True:
            if not self._readers:
                self._watched.clear()
                self._last.clear()
                await self._watched.wait()
            self._look_now.clear()
            try:
                await self._look()
            except (RiverrunError, psycopg.Error) as error:
                log.debug("events_interrupted", extra={"error": first_line(error)})
            await asyncio.sleep(DEBOUNCE_SECONDS)
            await happened(self._look_now, within=LOOK_SECONDS - DEBOUNCE_SECONDS)

    async def _look(self) -> None:
        watched = frozenset[str]().union(*(reader.topics for reader in self._readers))
        for topic, document in (await self._documents(watched)).items():
            event = self._changed(topic, document)
            if event is not None:
                for reader in self._readers:
                    if topic in reader.topics:
                        reader.offer(topic, event)
        for topic in self._last.keys() - watched:
            del self._last[topic]

    async def _documents(self, watched: frozenset[str]) -> dict[str, Mapping[str, object]]:
        found: dict[str, Mapping[str, object]] = {}
        for topic in watched:
            name, queues = parted(topic)
            if name == OVERVIEW:
                document = statistics_document(await self._overview.snapshot(queues))
                # When it was taken would make every overview a new one.
                found[topic] = {name: part for name, part in document.items() if name != "as_of"}
            elif name == BULK:
                found[topic] = await self._operations(queues or None)
        if any(topic.startswith("queue:") for topic in watched):
            snapshot = await self._overview.snapshot()
            found |= {f"queue:{queue.name}": queue_document(queue) for queue in snapshot.statistics.queues}
        for bulk_id in ids_of("bulk", watched):
            with suppress(NotFound):
                bulk = await self._database.run(bulk_operations.get(bulk_id))
                found[f"bulk:{bulk_id}"] = bulk_document(bulk)
        ids = ids_of("job", watched)
        jobs, mask = await self._database.run(watch(ids)), self._mask()
        found |= {f"job:{job_id}": watched_document(job_id, jobs.get(job_id), mask) for job_id in ids}
        return {topic: document for topic, document in found.items() if topic in watched}

    async def _operations(self, queues: Sequence[str] | None) -> Mapping[str, object]:
        """Return what the list of operations shows: the newest one, and how far those are that run."""
        newest = await self._database.run(bulk_operations.listed(rows=1, queues=queues))
        running = await self._database.run(bulk_operations.listed(state="running", queues=queues))
        return {"newest_id": newest[0].id if newest else None, "running": [bulk_document(bulk) for bulk in running]}

    def _changed(self, topic: str, document: Mapping[str, object]) -> Event | None:
        """Return the event of a topic whose state is another one than before."""
        name = parted(topic)[0]
        kind = name.partition(":")[0]
        body = encoded({"topic": name, **document}).rstrip()
        last = self._last.get(topic)
        if last is not None and last.body == body:
            return None
        self._number += 1
        line = f"id: {self._life}.{self._number}\nevent: {kind}\ndata: ".encode() + body + b"\n\n"
        event = self._last[topic] = Event(self._number, body, line)
        return event

    def _seen(self, last_id: str | None) -> int:
        """Return the number of the last event that a reader had; 0 when it had none of this process."""
        life, _, number = (last_id or "").partition(".")
        return int(number) if life == self._life and number.isascii() and number.isdigit() and len(number) < 16 else 0
