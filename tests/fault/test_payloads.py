"""Values that PostgreSQL cannot keep, kinds that nobody knows, and jobs that kill whoever runs them."""

from __future__ import annotations

import time

import psycopg
import pytest

from fault.checker import Promise
from fault.lab import Lab, size
from riverrun import Client
from riverrun.errors import InvalidInput

VALUES = ("nul", "surrogate", "nan", "deep", "huge", "object", "key", "digits")


@pytest.mark.parametrize("raises", [False, True], ids=["output", "error"])
def test_what_cannot_be_stored_stops_neither_its_job_nor_its_neighbours(lab: Lab, raises: bool) -> None:
    """P1: outputs and errors with NUL, half surrogates, NaN, deep nesting, 40 MB."""
    (host,) = lab.hosts("a")
    hostile = lab.producer(
        kind="hostile", args=lambda n: {"value": VALUES[n % len(VALUES)], "raise": raises}, timeout=30
    )
    with lab.producer(rate=20):
        hostile.enqueue(len(VALUES))
        lab.settle()
    lab.settle()

    witnessed = lab.conclude("P1", f"{len(VALUES)} hostile values as {'errors' if raises else 'outputs'}")
    assert not witnessed.rescues()
    assert host.child("executor")["restarts"] == 0


@pytest.mark.parametrize(
    "args",
    [
        {"x": "nul \x00"}, {"x": "\ud800"}, {"x": float("nan")}, {"x": float("inf")}, {"nul\x00": 1},
        {"x": "x" * 50_000_000}, '{"x": 1e400000}', '{"x": ' + "[" * 20_000 + "]" * 20_000 + "}", '{"x": "\\u0000"}',
    ],
    ids=["nul", "surrogate", "nan", "infinity", "nul in a key", "50 MB", "too many digits", "too deep", "escaped nul"],
)  # fmt: skip
def test_arguments_that_cannot_be_stored_are_refused_in_words(database: str, args: dict[str, object] | str) -> None:
    """P1: hostile arguments at the door."""
    with Client(database) as client, pytest.raises(InvalidInput):
        client.enqueue("work", args)

    with psycopg.connect(database, autocommit=True) as conn:
        assert conn.execute("SELECT count(*) FROM river_job").fetchone() == (0,)


def test_a_kind_that_nobody_knows_is_never_discarded_in_silence(lab: Lab) -> None:
    """P2: jobs of a kind without a handler, beside good ones."""
    (host,) = lab.hosts("a")
    lab.producer(kind="nobody_knows", max_attempts=1).enqueue(3)
    with lab.producer(rate=20):
        lab.works_again()
        time.sleep(size(3, 15))
    lab.settle(but=("nobody_knows",))

    states = {row[0] for row in lab.rows("SELECT state::text FROM river_job WHERE kind = 'nobody_knows'")}
    ends = {"nobody_knows": next(iter(states))} if states <= {"available", "scheduled", "retryable"} else {}
    lab.conclude(
        "P2", "3 jobs of an unknown kind", promise=Promise(ends=ends), note=f"they are {', '.join(sorted(states))}"
    )
    assert "nobody_knows" in host.said()


@pytest.mark.quick
def test_a_job_that_always_kills_its_executor_is_put_away_after_three_crashes(lab: Lab) -> None:
    """F4: one poisonous job among good ones."""
    lab.hosts("a")
    good = size(200, 1000)
    lab.producer(args=lambda n: {"ms": 20 + n % 5 * 20}).enqueue(good // 2)
    (poison,) = lab.producer(kind="segfault", args=lambda _: {"times": 1_000_000}).enqueue(1)
    lab.producer(args=lambda n: {"ms": 20 + n % 5 * 20}).enqueue(good // 2)
    lab.until(f"(SELECT state = 'discarded' FROM river_job WHERE id = {poison})", within=90)
    lab.settle()

    witnessed = lab.conclude("F4", f"one poison among {good} jobs", promise=Promise(ends={"segfault": "discarded"}))
    assert len([rescue for rescue in witnessed.rescues() if rescue.job_id == poison]) <= 3
