"""What really happened, told by witnesses that no fault touches and that are not the daemon.

    effect     handlers say what they do, on a second PostgreSQL server
    change     a trigger of the tests notes every change of a job's row, in the transaction that makes it
    enqueued   producers say what they asked for and what they were told

`read` brings the three together; `checker` judges them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psycopg
from psycopg.rows import class_row

EFFECTS = """
CREATE TABLE effect (
    seq bigserial PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    job_id bigint NOT NULL,
    attempt int NOT NULL,
    attempted_us bigint NOT NULL,
    executor text NOT NULL,
    phase text NOT NULL
);
CREATE TABLE enqueued (
    key text PRIMARY KEY,
    kind text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    job_id bigint,
    answer text NOT NULL
)
"""

T = TypeVar("T")

_WATCH = (Path(__file__).parent / "watch.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A handler says where it is: ``begin``, ``beat`` while it works, and ``done``, ``failed`` or ``stopped``."""

    at: float
    job_id: int
    attempt: int
    attempted_us: int
    executor: str
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueued:
    """A producer asked for a job and was told ``ok``, ``refused``, or nothing it could rely on: ``unknown``."""

    key: str
    kind: str
    at: float
    job_id: int | None
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a job's row; no old state is an insert, no new one a delete."""

    at: float
    job_id: int
    seq: int = 0
    backend: int = 0
    application: str = ""
    generation: int | None = None
    kind: str = "work"
    queue: str = "default"
    key: str | None = None
    schedule: str | None = None
    tick: str | None = None
    unique_key: str | None = None
    old_state: str | None = None
    new_state: str | None = None
    old_attempt: int | None = None
    new_attempt: int | None = None
    old_attempted_us: int | None = None
    new_attempted_us: int | None = None
    old_executor: str | None = None
    new_executor: str | None = None
    finalized: bool = False
    errors: int | None = None
    cancelling: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TermBegun:
    """A scheduler became the leader."""

    at: float
    generation: int
    backend: int | None
    server_id: str | None


@dataclass(slots=True)
class History:
    """All that was witnessed, each list in the order in which it happened."""

    enqueued: list[Enqueued] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    terms: list[TermBegun] = field(default_factory=list)

    def rescues(self) -> list[Change]:
        """Return the changes by which a running job was taken from its executor, with an error."""
        return [change for change in self.changes if change.old_state == "running" and is_rescue(change)]

    def taken_back(self, faults: list[float]) -> tuple[list[float], list[float]]:
        """Return for each rescue how long after its fault it came, and how long after it the job ran again."""
        begun: dict[int, list[float]] = defaultdict(list)
        for effect in self.effects:
            if effect.phase == "begin":
                begun[effect.job_id].append(effect.at)
        seen, again = [], []
        for rescue in self.rescues():
            fault = max((at for at in faults if at <= rescue.at), default=rescue.at)
            seen.append(rescue.at - fault)
            again += [at - fault for at in begun[rescue.job_id] if at > rescue.at][:1]
        return seen, sorted(again)


def is_rescue(change: Change) -> bool:
    """Return whether the leader or a supervisor made this change to a running job."""
    return change.application.startswith(("riverrun/scheduler", "riverrun/supervisor"))


def watch(dsn: str) -> None:
    """Note every change of a job and of the leader in the database ``dsn`` from now on."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(_WATCH.encode())


def prepare(dsn: str) -> None:
    """Make the tables of the witnesses that need no trigger."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(EFFECTS.encode())


def read(database: str, witnesses: str) -> History:
    """Return what was witnessed so far; times are seconds since 1970.

    In an order in which work that goes on meanwhile contradicts nothing: whoever was told of a job finds its row, and
    whoever has ended had said so before.
    """
    with psycopg.connect(witnesses, autocommit=True) as books, psycopg.connect(database, autocommit=True) as conn:
        enqueued = _rows(
            books, Enqueued, "enqueued", "key, kind, extract(epoch FROM at)::float8 AS at, job_id, answer", "at"
        )
        changes = _rows(
            conn, Change, "fault.change",
            "extract(epoch FROM at)::float8 AS at, seq, backend, application, generation, job_id, kind, queue, key,"
            " schedule, tick, unique_key, old_state, new_state, old_attempt, new_attempt, old_attempted_us,"
            " new_attempted_us, old_executor, new_executor, finalized, errors, cancelling",
        )  # fmt: skip
        terms = _rows(
            conn, TermBegun, "fault.term", "extract(epoch FROM at)::float8 AS at, generation, backend, server_id", "at"
        )
        effects = _rows(
            books, Effect, "effect",
            "extract(epoch FROM at)::float8 AS at, job_id, attempt, attempted_us, executor, phase",
        )  # fmt: skip
    return History(enqueued, effects, changes, terms)


def _rows(
    conn: psycopg.Connection[tuple[object, ...]], kind: type[T], table: str, columns: str, order: str = "seq"
) -> list[T]:
    with conn.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(f"SELECT {columns} FROM {table} ORDER BY {order}".encode()).fetchall()
