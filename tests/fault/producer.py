"""A producer that keeps books: what it asked for, and what it was told."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import psycopg

from riverrun import Client
from riverrun.errors import RiverrunError

BATCH_SECONDS = 0.1


class Producer:
    """Enqueues jobs at a steady rate from a thread of its own, through whatever happens.

    Args:
        database: Where the jobs go.
        witnesses: Where the books are kept.
        rate: Jobs a second.
        kind: Kind of the jobs.
        args: Returns the arguments of the n-th job.
        options: Options of the enqueue.

    Attributes:
        asked: How many jobs it has asked for.
    """

    def __init__(
        self,
        database: str,
        witnesses: str,
        *,
        rate: float = 50.0,
        kind: str = "work",
        args: Callable[[int], Mapping[str, object]] | None = None,
        **options: Any,
    ) -> None:
        self._database = database
        self._witnesses = witnesses
        self._rate = rate
        self._kind = kind
        self._args = args or (lambda _: {})
        self._options = options
        self._stop = threading.Event()
        self.asked = 0
        self._thread = threading.Thread(target=self._run, name="producer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask for no more jobs."""
        self._stop.set()
        self._thread.join(30)

    def enqueue(self, count: int) -> list[int | None]:
        """Ask for ``count`` jobs at once and return their ids; None for those nobody has vouched for."""
        with Client(self._database) as client, psycopg.connect(self._witnesses, autocommit=True) as books:
            return self._enqueue(client, books, count)

    def _run(self) -> None:
        started, asked = time.monotonic(), 0
        with Client(self._database) as client, psycopg.connect(self._witnesses, autocommit=True) as books:
            while not self._stop.wait(BATCH_SECONDS):
                due = int((time.monotonic() - started) * self._rate) - asked
                if due > 0:
                    # After an outage the jobs that nobody could ask for are not asked for: it would be another load.
                    self._enqueue(client, books, min(due, max(1, int(self._rate * 2 * BATCH_SECONDS))))
                    asked += due

    def _enqueue(self, client: Client, books: psycopg.Connection[tuple[Any, ...]], count: int) -> list[int | None]:
        jobs = [
            {"kind": self._kind, "args": {**self._args(number), "key": uuid.uuid4().hex}, **self._options}
            for number in range(self.asked, self.asked + count)
        ]
        self.asked += count
        ids: list[int | None]
        try:
            ids, answer = [result.job.id for result in client.enqueue_many(jobs)], "ok"  # type: ignore[arg-type]  # built above
        except (RiverrunError, psycopg.Error):
            ids, answer = [None] * count, "unknown"
        with books.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO enqueued (key, kind, job_id, answer) VALUES (%s, %s, %s, %s)",
                [(job["args"]["key"], self._kind, job_id, answer) for job, job_id in zip(jobs, ids, strict=True)],
            )
        return ids
