"""The helpers for users' own tests: what they find, what they run, and what they say when it is not as expected."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection, Connection

import riverrun
import riverrun.handlers as registered_handlers
from riverrun import AsyncClient, Client, Context, InvalidInput, JobState
from riverrun.extensions import Work
from riverrun.outcome import Cancelled, Completed, Failed, Outcome
from riverrun.testing import (
    AsyncInlineClient,
    InlineClient,
    enqueued,
    require_enqueued,
    require_not_enqueued,
    work_one,
)

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(autouse=True)
def _own_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("riverrun.extensions._registered", {})
    monkeypatch.setattr(registered_handlers, "_registered", {})

    @riverrun.handler("double", retry=3600)
    async def double(args: dict[str, int], ctx: Context) -> int:
        ctx.log.warning("doubling")
        return args["n"] * 2

    @riverrun.handler("halve")
    def halve(args: dict[str, int]) -> int:
        if args["n"] % 2:
            raise ValueError("odd")
        return args["n"] // 2


@pytest.fixture
def own(database: str) -> Iterator[Connection[Any]]:
    """Give a connection as an application has it, in whose transaction everything happens."""
    with psycopg.connect(database) as conn:
        yield conn
        conn.rollback()


@pytest.fixture
async def async_own(database: str) -> AsyncIterator[AsyncConnection[Any]]:
    """Give the same for asyncio."""
    async with await AsyncConnection.connect(database) as conn:
        yield conn
        await conn.rollback()


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    """Give a client of the test's database."""
    with Client(database) as client:
        yield client


def test_the_job_that_is_as_expected_is_returned(client: Client, own: Connection[Any]) -> None:
    due = datetime.now(UTC) + timedelta(hours=1)
    client.enqueue("email", {"to": "a"}, conn=own)
    wanted = client.enqueue("email", {"to": "b", "n": 1}, queue="mail", scheduled_at=due, tags=["vip"], conn=own).job

    found = require_enqueued(
        own, "email", args={"to": "b"}, queue="mail", scheduled_at=due, tags=["vip"], state="scheduled", metadata={}
    )

    assert found.id == wanted.id
    assert [job.kind for job in enqueued(own)] == ["email", "email"]
    require_not_enqueued(own, "email", args={"to": "c"})
    require_not_enqueued(own, "report")


async def test_the_same_works_on_an_asynchronous_connection(database: str, async_own: AsyncConnection[Any]) -> None:
    async with AsyncClient(database) as client:
        await client.enqueue("double", {"n": 2}, conn=async_own)

    assert (await require_enqueued(async_own, "double")).args == {"n": 2}
    assert len(await enqueued(async_own, "double")) == 1
    await require_not_enqueued(async_own, "halve")
    worked = await work_one(async_own, "double")
    assert worked.require_completed().metadata["output"] == 4


def test_a_failed_expectation_says_what_is_there_instead(client: Client, own: Connection[Any]) -> None:
    first = client.enqueue("email", {"to": "a"}, conn=own).job.id
    second = client.enqueue("email", {"to": "b"}, conn=own).job.id

    with pytest.raises(AssertionError) as nothing_like_it:
        require_enqueued(own, "email", args={"to": "c", "cc": "d"}, queue="mail")
    with pytest.raises(AssertionError) as several:
        require_enqueued(own, "email")
    with pytest.raises(AssertionError) as other_kinds:
        require_enqueued(own, "report", priority=2)
    with pytest.raises(AssertionError) as there:
        require_not_enqueued(own, "email", args={"to": "b"})

    assert str(nothing_like_it.value).splitlines() == [
        "no job is of kind 'email' with args={'to': 'c', 'cc': 'd'}, queue='mail'; of that kind there are:",
        f"  job {first}: args['to'] is 'a', not 'c'; args has no 'cc'; queue is default, not mail",
        f"  job {second}: args['to'] is 'b', not 'c'; args has no 'cc'; queue is default, not mail",
    ]
    assert str(several.value).startswith("2 jobs are of kind 'email'; say what tells them apart:\n  job ")
    assert str(other_kinds.value) == "no job is of kind 'report' with priority=2; there are 2 of kind 'email'"
    assert str(there.value).splitlines()[1] == f'  job {second} in \'default\', available: {{"to": "b"}}'


def test_of_an_empty_table_it_is_said_that_it_is_empty(own: Connection[Any]) -> None:
    with pytest.raises(AssertionError, match="there are no jobs at all"):
        require_enqueued(own, "email")


def test_a_word_that_no_job_has_is_refused(own: Connection[Any]) -> None:
    with pytest.raises(InvalidInput, match="colour: 'colour' is not allowed; expected one of args, metadata, queue"):
        require_enqueued(own, "email", colour="red")  # type: ignore[call-overload]  # must be refused at run time too


def test_one_job_is_run_in_the_transaction_of_the_test(client: Client, own: Connection[Any], database: str) -> None:
    client.enqueue("halve", {"n": 4}, delay=3600, conn=own)
    client.enqueue("halve", {"n": 8}, conn=own)

    first, second = work_one(own, "halve"), work_one(own, "halve")

    assert [each.require_completed().metadata["output"] for each in (first, second)] == [2, 4]
    assert first.outcome == Completed()
    with pytest.raises(AssertionError, match="no job of kind 'halve' waits to be run"):
        work_one(own, "halve")
    own.rollback()
    assert enqueued(own) == []


def test_an_async_handler_is_run_from_a_plain_test(client: Client, own: Connection[Any]) -> None:
    wanted = client.enqueue("double", {"n": 3}, conn=own).job
    client.enqueue("double", {"n": 4}, conn=own)

    job = work_one(own, "double", job_id=wanted.id).require_completed()

    assert (job.id, job.metadata["output"]) == (wanted.id, 6)
    assert job.metadata["river:log"][0]["log"].endswith("WARNING doubling\n")


async def test_a_blocking_connection_may_be_used_in_an_async_test(client: Client, own: Connection[Any]) -> None:
    client.enqueue("double", {"n": 3}, conn=own)

    assert work_one(own, "double").require_completed().metadata["output"] == 6


def test_a_failed_attempt_is_seen_as_the_daemon_would_leave_it(client: Client, own: Connection[Any]) -> None:
    client.enqueue("halve", {"n": 3}, conn=own)

    worked = work_one(own, "halve")

    assert (worked.job.state, worked.job.attempt) == (JobState.AVAILABLE, 1)
    assert worked.job.errors[0].error == "ValueError: odd"
    assert isinstance(worked.outcome, Failed)
    with pytest.raises(AssertionError, match="is available: Failed") as failed:
        worked.require_completed()
    assert isinstance(failed.value.__cause__, ValueError)
    assert work_one(own, "halve").job.attempt == 2


def test_policies_and_what_is_around_handlers_count_in_tests_too(client: Client, own: Connection[Any]) -> None:
    @riverrun.middleware("double")
    async def wrap(ctx: Context, work: Work) -> Outcome:
        ctx.update({"wrapped": True})
        return await work()

    @riverrun.on_error("halve")
    def give_up(ctx: Context, failure: Failed) -> Outcome:
        return Cancelled("enough")

    client.enqueue("double", {}, conn=own)
    client.enqueue("halve", {"n": 3}, conn=own)

    doubled, halved = work_one(own, "double").job, work_one(own, "halve").job

    assert doubled.metadata["wrapped"] is True
    assert doubled.state == JobState.RETRYABLE
    assert doubled.scheduled_at - datetime.now(UTC) > timedelta(minutes=59)
    assert halved.state == JobState.CANCELLED


def test_a_kind_that_nobody_handles_is_told_with_those_that_are(client: Client, own: Connection[Any]) -> None:
    client.enqueue("unheard", {}, conn=own)

    with pytest.raises(AssertionError, match=r"no handler is registered for kind 'unheard'.*Registered: double, halve"):
        work_one(own, "unheard")


def test_an_inline_client_runs_jobs_at_once_and_without_a_database() -> None:
    with InlineClient() as client:
        result = client.enqueue("double", {"n": 4}, delay=60, tags=["abc"])
        client.enqueue_many([{"kind": "halve", "args": {"n": 4}}, {"kind": "double", "args": {"n": 1}}])
        copied = client.copy_in({"kind": "halve", "args": {"n": n}} for n in (2, 4))

    assert (result.job.state, result.job.metadata["output"], result.job.tags) == (JobState.COMPLETED, 8, ("abc",))
    assert copied == 2
    assert [worked.job.metadata["output"] for worked in client.worked] == [8, 2, 2, 1, 2]


async def test_an_async_inline_client_does_the_same() -> None:
    async with AsyncInlineClient() as client:
        result = await client.enqueue("double", {"n": 4})
        await client.copy_in([{"kind": "halve", "args": {"n": 4}}])

    assert result.job.metadata["output"] == 8
    assert len(client.worked) == 2


def test_what_an_inline_job_raises_is_raised_to_its_producer() -> None:
    client = InlineClient()

    with pytest.raises(ValueError, match="odd"):
        client.enqueue("halve", {"n": 1})
    with pytest.raises(InvalidInput, match="priority: 12"):
        client.enqueue("halve", {"n": 2}, priority=12)

    assert [worked.job.state for worked in client.worked] == [JobState.RETRYABLE]


async def test_an_inline_client_has_no_jobs_to_look_after() -> None:
    with pytest.raises(AssertionError, match="an inline client keeps no jobs"):
        InlineClient().get(1)
    with pytest.raises(AssertionError, match="an inline client keeps no jobs"):
        await AsyncInlineClient().list()


@pytest.mark.parametrize("page", ["extending.md", "extending.zh-CN.md"])
def test_the_suite_on_the_page_passes_and_fails_where_it_should(database: str, tmp_path: Path, page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    (suite,) = re.findall(r"```python\n(import os\n\nimport psycopg\nimport pytest.*?)```", text, flags=re.DOTALL)
    broken = suite.replace('queue="mail"', 'queue="post"', 1)
    assert broken != suite

    passes, fails = (_run_pytest(database, tmp_path, code) for code in (suite, broken))

    assert re.search(r"\b3 passed", passes.stdout), passes.stdout
    assert "1 failed, 2 passed" in fails.stdout
    assert "queue is post, not mail" in fails.stdout
    assert "required.py" not in fails.stdout.replace("riverrun/testing/required.py:", "", 1)


def _run_pytest(database: str, folder: Path, suite: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_shop.py").write_text(suite, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shop.py"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
