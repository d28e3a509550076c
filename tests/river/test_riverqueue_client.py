"""River's own client for Python writes rows that are read here as if they had been enqueued by us."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from riverqueue import AsyncClient as RiverAsyncClient
from riverqueue import Client as RiverClient
from riverqueue import InsertManyParams, InsertOpts, UniqueOpts
from riverqueue.driver import riversqlalchemy
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine

import riverrun
from riverrun import JobState
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor
from support.schedulers import running_scheduler


@dataclass
class SortArgs:
    strings: list[str]
    kind: str = "sort"

    def to_json(self) -> str:
        return json.dumps({"strings": self.strings})


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database))
    yield engine
    engine.dispose()


@pytest.fixture
def ours(database: str) -> Iterator[riverrun.Client]:
    with riverrun.Client(database) as client:
        yield client


def insert(engine: Engine, args: SortArgs, options: InsertOpts | None = None) -> int:
    with engine.begin() as conn:
        result = RiverClient(riversqlalchemy.Driver(conn)).insert(args, insert_opts=options)
    assert result.job is not None
    return int(result.job.id)


def test_a_plain_insert_is_an_available_job(engine: Engine, ours: riverrun.Client) -> None:
    job = ours.get(insert(engine, SortArgs(["b", "a"])))

    assert (job.kind, job.args, job.state) == ("sort", {"strings": ["b", "a"]}, JobState.AVAILABLE)
    assert (job.queue, job.priority, job.max_attempts, job.attempt) == ("default", 1, 25, 0)
    assert (job.tags, job.unique_key) == ((), None)


def test_a_scheduled_insert_is_due_at_its_time(engine: Engine, ours: riverrun.Client) -> None:
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)

    job = ours.get(
        insert(
            engine,
            SortArgs([]),
            InsertOpts(scheduled_at=due, queue="sorting", priority=3, max_attempts=4, tags=["some-tag"]),
        )
    )

    assert (job.state, job.scheduled_at) == (JobState.SCHEDULED, due)
    assert (job.queue, job.priority, job.max_attempts, job.tags) == ("sorting", 3, 4, ("some-tag",))


def test_a_batch_is_found_whole(engine: Engine, ours: riverrun.Client) -> None:
    with engine.begin() as conn:
        RiverClient(riversqlalchemy.Driver(conn)).insert_many(
            [SortArgs(["1"]), InsertManyParams(SortArgs(["2"]), insert_opts=InsertOpts(queue="sorting"))]
        )

    jobs = sorted(ours.list(kind="sort").jobs, key=lambda job: job.id)
    assert [(job.args["strings"], job.queue) for job in jobs] == [(["1"], "default"), (["2"], "sorting")]


def test_a_job_that_rolls_back_is_not_found(engine: Engine, ours: riverrun.Client) -> None:
    with engine.connect() as conn:
        RiverClient(riversqlalchemy.Driver(conn)).insert(SortArgs([]))
        conn.rollback()

    assert ours.list().jobs == []


def test_its_jobs_are_cancelled_retried_and_deleted_as_ours(engine: Engine, ours: riverrun.Client) -> None:
    job_id = insert(engine, SortArgs([]))

    assert ours.cancel(job_id).state == JobState.CANCELLED
    assert ours.retry(job_id).state == JobState.AVAILABLE
    ours.delete(job_id)
    assert ours.list().jobs == []


def test_unique_with_its_default_states_cannot_work_on_any_schema_since_river_v6(engine: Engine) -> None:
    with pytest.raises(ProgrammingError, match="no unique or exclusion constraint matching the ON CONFLICT"):
        insert(engine, SortArgs([]), InsertOpts(unique_opts=UniqueOpts(by_args=True)))


@pytest.fixture
async def async_ids(database: str) -> AsyncIterator[list[int]]:
    engine = create_async_engine(
        "postgresql+psycopg://", async_creator=lambda: psycopg.AsyncConnection.connect(database)
    )
    async with engine.begin() as conn:
        result = await RiverAsyncClient(riversqlalchemy.AsyncDriver(conn)).insert(SortArgs(["x"]))
        assert result.job is not None
    yield [int(result.job.id)]
    await engine.dispose()


async def test_its_asynchronous_client_inserts_the_same(async_ids: list[int], database: str) -> None:
    async with riverrun.AsyncClient(database) as client:
        job = await client.get(async_ids[0])

    assert (job.kind, job.args, job.state) == ("sort", {"strings": ["x"]}, JobState.AVAILABLE)


async def test_its_jobs_are_executed_plain_scheduled_and_in_batches(engine: Engine, database: str) -> None:
    options = InsertOpts(scheduled_at=datetime.now(UTC) + timedelta(seconds=0.5))
    with engine.begin() as conn:
        client = RiverClient(riversqlalchemy.Driver(conn))
        client.insert(SortArgs(["b", "a"]))
        client.insert(SortArgs(["d", "c"]), insert_opts=options)
        client.insert_many([InsertManyParams(SortArgs(["f", "e"])), InsertManyParams(SortArgs(["h", "g"]))])

    settings = settings_for(database)
    async with riverrun.AsyncClient(database) as ours, running_executor(settings), running_scheduler(settings):

        async def outputs() -> bool:
            jobs = (await ours.list(state=["completed"])).jobs
            return sorted(job.metadata["output"] for job in jobs) == [["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]]

        await eventually(outputs, within=15)
