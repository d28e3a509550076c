"""What becomes of an attempt that runs in a process of its own, whatever it does to that process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import riverrun
from riverrun import AsyncClient, JobState
from riverrun.context import Context
from riverrun.extensions import Work
from riverrun.handlers import load_handlers
from riverrun.outcome import Cancelled, Completed, Failed, Outcome, Snoozed
from riverrun_executor.children import pool
from riverrun_executor.children.pool import Children
from riverrun_executor.children.wire import Hello
from riverrun_executor.handlers import isolated
from riverrun_executor.handlers.isolated import IsolatedHandler
from support.attempts import claimed, context_of
from support.contexts import settings_for
from support.eventually import eventually
from support.executors import running_executor

WITHIN = 20.0
TESTS = Path(__file__).parents[1]
MODULE = "support.isolated_handlers"


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    """Give processes with handlers that hurt them."""
    children = Children(Hello((MODULE,), (str(TESTS),), None, "test-host", "me", logging.INFO), most_idle=1)
    yield children
    await children.close()


class Attempt:
    """One attempt, which may be stopped."""

    def __init__(self, children: Children, kind: str, args: dict[str, Any]) -> None:
        self.context: Context = context_of(job := claimed(args, kind=kind))
        self.context.limit_seconds = 30
        handler = IsolatedHandler(load_handlers([MODULE])[kind], children)
        self.task = asyncio.create_task(handler.run(job, self.context))

    async def outcome(self) -> Outcome:
        """Wait for its end."""
        return await asyncio.wait_for(self.task, WITHIN)

    def noted(self) -> dict[str, Any]:
        """Return what it has noted."""
        return dict(json.loads(self.context.all_notes() or "{}"))


async def run(children: Children, kind: str, **args: Any) -> tuple[Outcome, dict[str, Any]]:
    """Run an attempt; return its outcome and its notes."""
    attempt = Attempt(children, kind, args)
    outcome = await attempt.outcome()
    return outcome, attempt.noted()


async def output_of(children: Children) -> dict[str, Any]:
    """Run an attempt that says where it runs."""
    outcome, notes = await run(children, "isolated_pid", big=10**30, text="é\u2028")
    assert outcome == Completed()
    return dict(notes["output"])


def lives(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_an_attempt_runs_in_another_process_as_it_would_in_this_one(
    children: Children, caplog: pytest.LogCaptureFixture
) -> None:
    said = await output_of(children)

    assert said.pop("pid") != os.getpid()
    assert said == {"args": {"big": 10**30, "text": "é\u2028"}, "attempt": 2, "limit": 30}
    (line,) = [record for record in caplog.records if record.message == "said_from_afar"]
    assert (line.levelno, line.__dict__["job_id"], line.__dict__["number"]) == (logging.WARNING, 7, 10**30)


async def test_the_next_attempt_gets_the_same_process_and_one_beside_it_another(children: Children) -> None:
    first, second = await output_of(children), await output_of(children)
    beside = await asyncio.gather(output_of(children), output_of(children))

    assert first["pid"] == second["pid"]
    assert len({each["pid"] for each in beside}) == 2
    await eventually(lambda: sum(lives(each["pid"]) for each in beside) == 1, within=WITHIN)


async def test_a_process_that_ended_while_it_had_nothing_to_do_is_charged_to_no_job(children: Children) -> None:
    first = await output_of(children)
    os.kill(first["pid"], signal.SIGKILL)
    await eventually(lambda: all(idle.has_ended for idle in children._idle), within=WITHIN)

    second = await output_of(children)

    assert second["pid"] != first["pid"]


async def test_outcomes_that_are_no_errors_pass(children: Children) -> None:
    assert (await run(children, "isolated_signals", snooze=True))[0] == Snoozed(timedelta(minutes=1))
    assert (await run(children, "isolated_signals"))[0] == Cancelled("not wanted")
    left = (await run(children, "isolated_exit"))[0]
    assert isinstance(left, Failed)
    assert left.error == "SystemExit: 3"
    assert "line" in left.trace
    assert "sys.exit(3)" in left.trace


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"signal": 9}, "was ended by SIGKILL"),
        ({"segfault": True}, "was ended by SIGSEGV"),
        ({"exit": 3}, "ended with exit code 3"),
        ({"exit": 0}, "ended with exit code 0"),
        ({"noise": True}, "wrote into the pipe to its executor"),
    ],
)
async def test_a_crash_fails_the_attempt_that_ran_there_and_no_other(
    children: Children, args: dict[str, Any], error: str
) -> None:
    beside = Attempt(children, "isolated_sleep", {})
    await eventually(lambda: beside.noted() == {"output": "asleep"}, within=WITHIN)

    assert (await run(children, "isolated_crash", **args))[0] == Failed(
        f"the handler's process {error}", error_type="crash"
    )
    assert not beside.task.done()
    assert await output_of(children)
    beside.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beside.task


async def test_memory_beyond_the_limit_fails_the_attempt(children: Children) -> None:
    fine, _ = await run(children, "isolated_hog", megabytes=16)
    too_much, _ = await run(children, "isolated_hog", megabytes=256)
    again, _ = await run(children, "isolated_hog", megabytes=16)

    assert isinstance(too_much, Failed)
    assert too_much.error == "MemoryError"
    assert (fine, again) == (Completed(), Completed())


async def test_an_attempt_that_is_stopped_may_clean_up(children: Children) -> None:
    before = await output_of(children)
    attempt = Attempt(children, "isolated_sleep", {})
    await eventually(lambda: attempt.noted() == {"output": "asleep"}, within=WITHIN)

    attempt.task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt.task
    assert attempt.noted() == {"output": "woken"}
    assert (await output_of(children))["pid"] == before["pid"]


async def test_a_plain_function_shows_its_progress_and_hears_that_it_is_over(children: Children) -> None:
    attempt = Attempt(children, "isolated_plain", {})
    await eventually(attempt.noted, within=WITHIN)
    assert attempt.noted() == {"riverrun:progress": {"fraction": 0.5, "note": "half way"}}

    attempt.task.cancel()

    assert await attempt.outcome() == Completed()
    assert attempt.noted()["output"] == "stopped when told to"


@pytest.mark.parametrize("kind", ["isolated_spin", "isolated_parent"])
async def test_an_attempt_that_ignores_its_end_is_killed_with_all_that_it_started(
    children: Children, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(isolated, "KILL_SECONDS", 0.2)
    pid = (await output_of(children))["pid"]
    attempt = Attempt(children, kind, {})
    program = pid
    if kind == "isolated_parent":
        await eventually(lambda: "program_started" in caplog.messages, within=WITHIN)
        program = next(each.__dict__["program"] for each in caplog.records if each.message == "program_started")
    else:
        await asyncio.sleep(0.2)  # it cannot say that it has begun

    attempt.task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt.task
    await eventually(lambda: not lives(pid) and not lives(program), within=WITHIN)


async def test_an_attempt_that_is_stopped_while_its_process_starts_leaves_none(children: Children) -> None:
    attempt = Attempt(children, "isolated_spin", {})
    await eventually(lambda: children.pids, within=WITHIN)

    attempt.task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt.task
    await eventually(lambda: not any(map(lives, children.pids)), within=WITHIN)


async def test_a_process_that_does_not_start_fails_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    children = Children(Hello(("no_such_module",), (), None, "test-host", "me", logging.INFO), most_idle=1)
    try:
        broken, _ = await run(children, "isolated_pid")
        monkeypatch.setattr(pool, "START_SECONDS", 0.0)
        late, _ = await run(children, "isolated_pid")
    finally:
        await children.close()
    closed, _ = await run(children, "isolated_pid")

    assert broken == Failed("the handler's process ended with exit code 1", error_type="crash")
    assert late == Failed("the handler's process did not start within 0 s", error_type="crash")
    assert closed == Failed("the handler's process is not started any more: the executor stops", error_type="crash")


async def test_closing_leaves_no_process(children: Children) -> None:
    idle = (await output_of(children))["pid"]
    attempt = Attempt(children, "isolated_spin", {})
    await eventually(lambda: not attempt.task.done() and children.pids, within=WITHIN)

    await children.close()

    assert not lives(idle)
    outcome = await attempt.outcome()
    assert isinstance(outcome, Failed)
    assert outcome.error_type == "crash"


async def test_middleware_and_hooks_run_in_the_executor_around_the_other_process(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riverrun.extensions._registered", {})

    @riverrun.middleware("isolated_pid")
    async def mark(ctx: Context, work: Work) -> Outcome:
        ctx.update({"around": os.getpid()})
        return await work()

    @riverrun.on_end("isolated_pid")
    def see(ctx: Context, outcome: Outcome) -> None:
        ctx.update({"ended": type(outcome).__name__})

    settings = settings_for(database)
    handlers = settings.handlers.model_copy(update={"modules": ["support.handlers", MODULE], "path": [TESTS]})
    async with AsyncClient(database) as client, running_executor(settings.model_copy(update={"handlers": handlers})):
        job_id = (await client.enqueue("isolated_pid", {})).job.id

        async def done() -> bool:
            return (await client.get(job_id)).state == JobState.COMPLETED

        await eventually(done, within=WITHIN)
        metadata = (await client.get(job_id)).metadata

    assert (metadata["around"], metadata["ended"]) == (os.getpid(), "Completed")
    assert metadata["output"]["pid"] != os.getpid()


async def test_an_executor_goes_on_while_an_isolated_handler_holds_its_interpreter(database: str) -> None:
    settings = settings_for(database)
    handlers = settings.handlers.model_copy(update={"modules": ["support.handlers", MODULE], "path": [TESTS]})
    async with AsyncClient(database) as client, running_executor(settings.model_copy(update={"handlers": handlers})):
        spinning = (await client.enqueue("isolated_spin", {}, timeout=1.5, max_attempts=1)).job
        began = time.monotonic()
        while (await client.get(spinning.id)).state != JobState.DISCARDED:
            noop = (await client.enqueue("noop", {})).job

            async def done(job_id: int = noop.id) -> bool:
                return (await client.get(job_id)).state == JobState.COMPLETED

            await eventually(done, within=WITHIN)
            assert time.monotonic() - began < WITHIN

        assert (await client.get(spinning.id)).errors[0].error == "the handler did not finish within 1.5 s"
