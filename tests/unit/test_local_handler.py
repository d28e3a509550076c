"""What becomes of an attempt when a function of this process runs it, whatever the function does."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from riverrun import Cancel, Context, Retry, Snooze
from riverrun.functions import is_async
from riverrun.handlers import Handler
from riverrun.outcome import Cancelled, Completed, Failed, Outcome, Snoozed
from riverrun.retry import RIVER_BACKOFF
from riverrun.signals import Signal
from riverrun.signature import arguments_of
from riverrun.transition import MAX_TRACE_BYTES
from riverrun_executor.handlers.local import LocalHandler
from riverrun_executor.outliving import Outliving
from support.attempts import claimed, context_of
from support.eventually import eventually

WITHIN = 5.0
SOON, LATE = timedelta(seconds=0.05), timedelta(seconds=30)


class Bench:
    """Runs functions as handlers and remembers which threads were left behind."""

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(max_workers=8)
        self.left: list[int] = []
        self.outliving = Outliving(lambda: self.left.append(self.outliving.count))

    def handler(self, function: Callable[..., object], *, stuck_after: timedelta = LATE) -> LocalHandler:
        """Return ``function`` as a transport."""
        known = Handler(
            "email", function, is_async(function), arguments_of(function), timeout=None, backoff=RIVER_BACKOFF
        )
        return LocalHandler(known, self.threads, self.outliving, stuck_after=stuck_after)

    async def run(self, function: Callable[..., object], args: Any = "{}", **options: Any) -> Outcome:
        """Run one attempt."""
        return (await self.run_noting(function, args, **options))[0]

    async def run_noting(
        self, function: Callable[..., object], args: Any = "{}", **options: Any
    ) -> tuple[Outcome, str | None]:
        """Run one attempt; return its outcome and its notes."""
        job = claimed(args)
        context = context_of(job)
        outcome = await asyncio.wait_for(self.handler(function, **options).run(job, context), WITHIN)
        return outcome, context.all_notes()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Give a bench; threads still running at its end are waited for."""
    bench = Bench()
    yield bench
    await asyncio.to_thread(bench.threads.shutdown)


def both(function: Callable[[], object]) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return a plain function, and a coroutine function that does the same."""

    async def on_the_loop() -> object:
        return function()

    return function, on_the_loop


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def fails() -> NoReturn:
        raise error.with_traceback(None)  # it may have been raised before

    return fails


class Odd(BaseException):
    """An error outside of Exception."""


class Mute(Exception):
    """An error that cannot be printed."""

    def __str__(self) -> str:
        raise SystemExit(1)


@pytest.mark.parametrize("value", [{"a": 1}, [1], "text", 0, False])
async def test_a_result_is_the_output(bench: Bench, value: object) -> None:
    for function in both(lambda: value):
        outcome, notes = await bench.run_noting(function)

        assert outcome == Completed()
        assert notes is not None
        assert notes.startswith('{"output":')


async def test_no_result_is_no_output(bench: Bench) -> None:
    for function in both(lambda: None):
        assert await bench.run_noting(function) == (Completed(), None)


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        (Snooze(5), Snoozed(timedelta(seconds=5))),
        (Cancel("not wanted"), Cancelled("not wanted")),
        (Cancel(), Cancelled("the handler cancelled the job")),
        (Retry(7, "later"), Failed("later", error_type="retry", retry_in=timedelta(seconds=7))),
        (Retry(), Failed("the handler asked for a retry", error_type="retry")),
    ],
)
async def test_a_signal_is_obeyed_raised_or_returned(bench: Bench, signal: Signal, expected: Outcome) -> None:
    for function in (*both(lambda: signal), *both(raising(signal))):
        assert await bench.run(function) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ExceptionGroup("tasks", [Cancel("gone")]), Cancelled("gone")),
        (ExceptionGroup("outer", [ExceptionGroup("inner", [Snooze(5)])]), Snoozed(timedelta(seconds=5))),
        (ExceptionGroup("tasks", [Snooze(5), Cancel()]), Snoozed(timedelta(seconds=5))),
    ],
)
async def test_a_group_of_nothing_but_signals_is_obeyed(bench: Bench, error: Exception, expected: Outcome) -> None:
    for function in both(raising(error)):
        assert await bench.run(function) == expected


async def test_a_signal_beside_an_error_is_a_failure(bench: Bench) -> None:
    outcome = await bench.run(raising(ExceptionGroup("tasks", [Cancel("gone"), ValueError("broken")])))

    assert isinstance(outcome, Failed)
    assert outcome.error == "ExceptionGroup: tasks (2 sub-exceptions)"
    assert "ValueError: broken" in outcome.trace


async def test_a_signal_from_a_task_group_is_obeyed(bench: Bench) -> None:
    async def gives_up() -> None:
        raise Cancel("not wanted")

    async def works() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(gives_up(), name="gives up")
            tasks.create_task(asyncio.sleep(60), name="sleeps")

    assert await bench.run(works) == Cancelled("not wanted")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no luck"), "ValueError: no luck"),
        (ValueError(), "ValueError"),
        (ExceptionGroup("tasks", [ValueError("no luck")]), "ValueError: no luck"),
        (Odd("odd"), "Odd: odd"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (BaseExceptionGroup("all", [SystemExit(1), ValueError()]), "BaseExceptionGroup: all (2 sub-exceptions)"),
        (asyncio.CancelledError("of its own"), "CancelledError: of its own"),
        (TimeoutError("of its own"), "TimeoutError: of its own"),
        (Signal("of no known kind"), "Signal: of no known kind"),
        (Mute(), "Mute (its message cannot be read)"),
        (ValueError("\x00\ud800"), "ValueError: \x00\ud800"),
    ],
)
async def test_whatever_is_raised_is_a_failure_with_a_trace(bench: Bench, error: BaseException, text: str) -> None:
    for function in both(raising(error)):
        outcome = await bench.run(function)

        assert isinstance(outcome, Failed)
        assert (outcome.error, outcome.error_type, outcome.retry_in) == (text, "exception", None)
        assert "in fails" in outcome.trace
        assert "handlers/local.py" not in outcome.trace


async def test_a_stop_iteration_is_a_failure_although_no_future_can_carry_it(bench: Bench) -> None:
    in_thread, on_the_loop = both(raising(StopIteration("done")))

    for function, text in ((in_thread, "StopIteration: done"), (on_the_loop, "RuntimeError: coroutine raised Stop")):
        outcome = await bench.run(function)

        assert isinstance(outcome, Failed)
        assert outcome.error.startswith(text)


async def test_a_cancelled_task_that_the_handler_awaits_does_not_stop_the_attempt(bench: Bench) -> None:
    async def awaits_a_cancelled_task() -> None:
        task = asyncio.create_task(asyncio.sleep(60), name="cancelled at once")
        task.cancel()
        await task

    outcome = await bench.run(awaits_a_cancelled_task)

    assert isinstance(outcome, Failed)
    assert outcome.error == "CancelledError"


async def test_a_coroutine_that_nobody_awaits_is_a_failure_that_says_so(bench: Bench) -> None:
    async def work() -> None: ...

    for function in both(lambda: work()):  # noqa: PLW0108 - it must not be the coroutine function itself
        outcome = await bench.run(function)

        assert isinstance(outcome, Failed)
        assert outcome.error == "the handler returned what nobody awaits; it must await it, or be async"


async def test_arguments_that_do_not_fit_are_a_failure_without_a_trace(bench: Bench) -> None:
    def takes_numbers(args: dict[str, int]) -> None: ...

    async def takes_numbers_too(args: dict[str, int]) -> None: ...

    for function in (takes_numbers, takes_numbers_too):
        outcome = await bench.run(function, {"a": "s3cr3t"})

        assert isinstance(outcome, Failed)
        assert outcome.error.startswith("invalid arguments: a: Input should be a valid integer")
        assert (outcome.error_type, outcome.trace) == ("invalid_args", "")
        assert "s3cr3t" not in repr(outcome)


async def test_when_a_failed_job_runs_again_is_left_to_its_policy_unless_the_handler_says(bench: Bench) -> None:
    failed = await bench.run(raising(ValueError()))
    asked = await bench.run(raising(Retry()))
    own = await bench.run(raising(Retry(3)))

    assert [outcome.retry_in for outcome in (failed, asked, own) if isinstance(outcome, Failed)] == [
        None, None, timedelta(seconds=3),
    ]  # fmt: skip


async def test_of_a_long_trace_the_end_is_kept(bench: Bench) -> None:
    def deeper(level: int) -> None:
        # Each level in a frame of its own line, so that Python does not count them as repeated.
        if level == 0:
            raise ValueError("where it broke")
        code = "\n" * level + f"deeper({level - 1})"
        exec(compile(code, f"{'long' * 60}/{level}.py", "exec"), {"deeper": deeper})

    outcome = await bench.run(lambda: deeper(300))

    assert isinstance(outcome, Failed)
    assert len(outcome.trace.encode()) <= MAX_TRACE_BYTES
    assert outcome.trace.startswith("…")
    assert outcome.trace.endswith("ValueError: where it broke\n")
    assert "/1.py" in outcome.trace
    assert "/300.py" not in outcome.trace


async def test_a_long_message_does_not_push_the_frames_out(bench: Bench) -> None:
    outcome = await bench.run(raising(ValueError("é" * 1_000_000)))

    assert isinstance(outcome, Failed)
    assert len(outcome.trace.encode()) <= MAX_TRACE_BYTES
    assert "in fails" in outcome.trace
    assert outcome.trace.endswith("é…\n")


async def test_a_thread_sees_the_context_variables_of_its_attempt_and_changes_only_its_own(bench: Bench) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="nobody's")
    variable.set("the attempt's")

    def looks() -> str:
        seen = variable.get()
        variable.set("the thread's")
        return seen

    _, notes = await bench.run_noting(looks)

    assert notes == '{"output":"the attempt\'s"}'
    assert variable.get() == "the attempt's"


async def test_a_plain_function_does_not_hold_up_the_loop(bench: Bench) -> None:
    in_thread, on_the_loop = threading.Event(), asyncio.Event()

    def waits() -> bool:
        in_thread.set()
        return done.wait(WITHIN)

    done = threading.Event()
    attempt = asyncio.create_task(bench.run(waits), name="attempt")
    await eventually(in_thread.is_set, within=WITHIN)
    on_the_loop.set()
    done.set()

    assert await attempt == Completed()


class Deaf:
    """A plain function that does not listen until it is let go."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.released = threading.Event()
        self.told = False

    def __call__(self, ctx: Context) -> str:
        self.started.set()
        assert self.released.wait(30)
        self.told = ctx.cancelled
        return "late"


@pytest.fixture
def deaf() -> Iterator[Deaf]:
    """Give a deaf function; it is let go at the end, whatever happened."""
    deaf = Deaf()
    yield deaf
    deaf.released.set()


async def started(bench: Bench, deaf: Deaf, stuck_after: timedelta) -> asyncio.Task[Outcome]:
    job = claimed()
    attempt = asyncio.create_task(
        bench.handler(deaf, stuck_after=stuck_after).run(job, context_of(job)), name="attempt"
    )
    await eventually(deaf.started.is_set, within=WITHIN)
    return attempt


async def test_a_thread_that_listens_late_still_ends_its_attempt_itself(bench: Bench, deaf: Deaf) -> None:
    attempt = await started(bench, deaf, LATE)
    attempt.cancel()
    await asyncio.sleep(0)
    deaf.released.set()

    assert await asyncio.wait_for(attempt, WITHIN) == Completed()
    assert deaf.told
    assert bench.left == []


async def test_a_thread_that_does_not_listen_is_left_and_keeps_its_slot_until_it_returns(
    bench: Bench, deaf: Deaf
) -> None:
    attempt = await started(bench, deaf, SOON)
    before = time.monotonic()
    attempt.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(attempt, WITHIN)

    assert time.monotonic() - before >= SOON.total_seconds()
    assert bench.left == [1]
    deaf.released.set()
    await eventually(lambda: bench.left == [1, 0], within=WITHIN)
    assert deaf.told


async def test_a_second_cancellation_does_not_wait_for_the_thread(bench: Bench, deaf: Deaf) -> None:
    attempt = await started(bench, deaf, LATE)
    attempt.cancel()
    await asyncio.sleep(0.01)  # it waits for the thread now
    attempt.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(attempt, WITHIN)

    assert bench.left == [1]
    deaf.released.set()
    await eventually(lambda: bench.left == [1, 0], within=WITHIN)


async def test_a_cancelled_coroutine_tells_the_threads_that_it_has_started(bench: Bench) -> None:
    job = claimed()
    context = context_of(job)
    waiting = asyncio.Event()

    async def works(ctx: Context) -> None:
        waiting.set()
        await asyncio.to_thread(ctx.wait_cancelled, WITHIN)

    attempt = asyncio.create_task(bench.handler(works).run(job, context), name="attempt")
    await asyncio.wait_for(waiting.wait(), WITHIN)
    attempt.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(attempt, WITHIN)
    assert context.cancelled
