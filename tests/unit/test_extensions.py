"""What users put around their handlers runs in the stated order, and cannot harm the executor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from datetime import timedelta

import pytest

import riverrun
from riverrun import Cancel, Context, InvalidInput, Snooze
from riverrun.extensions import Extension, Extensions, Place, Work, extensions
from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Interrupted, Outcome, Snoozed
from support.attempts import claimed, context_of

FAILED = Failed("no luck")


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("riverrun.extensions._registered", {})


def registered() -> Extensions:
    known = extensions()
    assert known is not None
    return known


def only(place: Place, function: Callable[..., object]) -> Extensions:
    return Extensions([Extension(place, function, None)])


async def completes() -> Outcome:
    return Completed()


async def fails() -> Outcome:
    return FAILED


async def test_all_run_in_the_order_that_the_page_states() -> None:
    ran: list[str] = []

    def middleware(name: str) -> Callable[[Context, Work], object]:
        async def wrap(ctx: Context, work: Work) -> Outcome:
            ran.append(f"{name} in")
            outcome = await work()
            ran.append(f"{name} out")
            return outcome

        wrap.__qualname__ = name
        return wrap

    @riverrun.on_error()
    async def judge(ctx: Context, failure: Failed) -> None:
        ran.append("error")

    @riverrun.on_end()
    def end(ctx: Context, outcome: Outcome) -> None:
        ran.append("end")

    riverrun.middleware()(middleware("outer"))
    riverrun.middleware()(middleware("inner"))

    @riverrun.on_begin()
    async def begin(ctx: Context) -> None:
        ran.append("begin")

    async def work() -> Outcome:
        ran.append("handler")
        return FAILED

    context = context_of(claimed())
    outcome = await registered().end(context, await registered().run(context, work))

    assert ran == ["begin", "outer in", "inner in", "handler", "inner out", "outer out", "end", "error"]
    assert outcome is FAILED


async def test_a_function_for_some_kinds_leaves_others_alone() -> None:
    @riverrun.on_begin("report", "invoice")
    def refuse(ctx: Context) -> None:
        raise Cancel("not today")

    email, report = context_of(claimed(kind="email")), context_of(claimed(kind="report"))

    assert await registered().run(email, completes) == Completed()
    assert await registered().run(report, completes) == Cancelled("not today")


async def test_a_begin_hook_that_raises_keeps_the_handler_from_running() -> None:
    def begin(ctx: Context) -> None:
        raise ValueError("not ready")

    context = context_of(claimed())
    outcome = await only("begin", begin).run(context, _never)

    assert isinstance(outcome, Failed)
    assert outcome.error == "ValueError: not ready"
    assert "in begin\n" in outcome.trace
    assert isinstance(context.error, ValueError)


async def _never() -> Outcome:
    raise AssertionError("this must not run")


async def test_what_a_middleware_raises_counts_as_raised_by_the_handler() -> None:
    async def limit(ctx: Context, work: Work) -> Outcome:
        raise Snooze(60)

    assert await only("middleware", limit).run(context_of(claimed()), _never) == Snoozed(timedelta(minutes=1))


async def test_a_middleware_may_return_another_outcome() -> None:
    async def forgive(ctx: Context, work: Work) -> Outcome:
        return Completed() if isinstance(await work(), Failed) else FAILED

    assert await only("middleware", forgive).run(context_of(claimed()), fails) == Completed()


async def test_a_middleware_that_returns_no_outcome_fails_the_attempt() -> None:
    async def forgetful(ctx: Context, work: Work) -> None:
        await work()

    outcome = await only("middleware", forgetful).run(context_of(claimed()), completes)

    assert isinstance(outcome, Failed)
    assert "forgetful returned NoneType; expected an outcome of riverrun.outcome" in outcome.error


async def test_the_handler_sees_the_context_variables_of_a_middleware() -> None:
    tenant: ContextVar[str] = ContextVar("tenant")

    async def enter(ctx: Context, work: Work) -> Outcome:
        tenant.set("acme")
        return await work()

    async def work() -> Outcome:
        return Cancelled(tenant.get())

    assert await only("middleware", enter).run(context_of(claimed()), work) == Cancelled("acme")


async def test_an_attempt_that_is_told_to_stop_passes_through_its_middleware() -> None:
    cleaned = asyncio.Event()
    began = asyncio.Event()

    async def clean(ctx: Context, work: Work) -> Outcome:
        try:
            return await work()
        finally:
            cleaned.set()

    async def work() -> Outcome:
        began.set()
        await asyncio.Event().wait()
        return Completed()

    attempt = asyncio.create_task(only("middleware", clean).run(context_of(claimed()), work))
    await began.wait()
    attempt.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert cleaned.is_set()


async def test_an_end_hook_may_replace_the_outcome() -> None:
    async def never_give_up(ctx: Context, outcome: Outcome) -> Outcome | None:
        return Snoozed(timedelta(hours=1)) if isinstance(outcome, Discarded) else None

    end = only("end", never_give_up)

    assert await end.end(context_of(claimed()), Discarded("hopeless")) == Snoozed(timedelta(hours=1))
    assert await end.end(context_of(claimed()), FAILED) is FAILED


async def test_an_error_handler_sees_the_exception_and_may_decide() -> None:
    def judge(ctx: Context, failure: Failed) -> Outcome | None:
        return Cancelled("no such account") if isinstance(ctx.error, KeyError) else None

    def begin(ctx: Context) -> None:
        raise KeyError(ctx.job.id)

    context = context_of(claimed())
    outcome = await only("begin", begin).run(context, _never)

    assert await only("error", judge).end(context, outcome) == Cancelled("no such account")


@pytest.mark.parametrize("outcome", [Completed(), Cancelled("x"), Snoozed(timedelta()), Interrupted()])
async def test_an_error_handler_is_asked_about_failures_alone(outcome: Outcome) -> None:
    def judge(ctx: Context, failure: Failed) -> Outcome:
        return Completed()

    assert await only("error", judge).end(context_of(claimed()), outcome) is outcome
    assert await only("error", judge).end(context_of(claimed()), Discarded("x")) == Completed()


async def test_the_first_error_handler_that_ends_the_failure_is_the_last_that_is_asked() -> None:
    asked: list[str] = []

    @riverrun.on_error()
    def later(ctx: Context, failure: Failed) -> Outcome:
        asked.append(failure.error)
        return Failed("slower", retry_in=timedelta(hours=1))

    @riverrun.on_error()
    def give_up(ctx: Context, failure: Failed) -> Outcome:
        asked.append(failure.error)
        return Cancelled("enough")

    @riverrun.on_error()
    def unheard(ctx: Context, failure: Failed) -> None:
        asked.append("unheard")

    assert await registered().end(context_of(claimed()), FAILED) == Cancelled("enough")
    assert asked == ["no luck", "slower"]


@pytest.mark.parametrize("place", ["end", "error"])
async def test_a_hook_that_fails_is_logged_and_changes_nothing(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    def broken(ctx: Context, outcome: Outcome) -> None:
        raise SystemExit

    def senseless(ctx: Context, outcome: Outcome) -> str:
        return "retry"

    for function in (broken, senseless):
        assert await only(place, function).end(context_of(claimed()), FAILED) is FAILED

    assert [record.message for record in caplog.records] == ["hook_failed"] * 2
    assert vars(caplog.records[0])["function"].endswith("broken")


async def test_a_hook_that_lasts_too_long_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("riverrun.extensions.END_SECONDS", 0.01)

    async def endless(ctx: Context, outcome: Outcome) -> None:
        await asyncio.Event().wait()

    assert await only("end", endless).end(context_of(claimed()), FAILED) is FAILED


async def test_an_attempt_that_is_stopped_within_a_hook_keeps_its_outcome() -> None:
    began = asyncio.Event()

    async def endless(ctx: Context, outcome: Outcome) -> None:
        began.set()
        await asyncio.Event().wait()

    attempt = asyncio.create_task(only("end", endless).end(context_of(claimed()), FAILED))
    await began.wait()
    attempt.cancel()

    assert await attempt is FAILED


def test_where_nothing_is_registered_nothing_runs() -> None:
    assert extensions() is None


def test_a_module_that_is_loaded_anew_does_not_register_twice() -> None:
    for _ in range(2):

        @riverrun.on_begin()
        def begin(ctx: Context) -> None: ...

    assert len(registered()._registered) == 1


def test_a_middleware_must_be_async() -> None:
    with pytest.raises(TypeError, match="a middleware awaits what it runs around, so it must be async"):

        @riverrun.middleware()
        def wrap(ctx: Context, work: Work) -> None: ...


def test_kinds_are_checked_where_they_are_given() -> None:
    with pytest.raises(InvalidInput, match="kinds: "):
        riverrun.on_begin("a b")
    with pytest.raises(InvalidInput, match="kinds: "):
        riverrun.on_end(lambda: None)  # type: ignore[arg-type]  # the parentheses behind the decorator were forgotten
