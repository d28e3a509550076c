"""Steps that finished are skipped by the next attempt, and a cursor leads back into the one that did not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from riverrun.context import Context
from riverrun.errors import InvalidInput, NotFound
from support.attempts import claimed, context_of

STEP, CURSOR = "river:resumable_step", "river:resumable_cursor"


class Attempt:
    """An attempt that remembers which steps it ran."""

    def __init__(self, metadata: Mapping[str, object] | None = None) -> None:
        self.context = context_of(claimed(metadata=metadata or {}))
        self.ran: list[str] = []

    def step(self, name: str, error: Exception | None = None) -> None:
        def work() -> None:
            self.ran.append(name)
            if error is not None:
                raise error

        self.context.step(name, work)

    def notes(self, *, completed: bool = False) -> Any:
        return json.loads(self.context.all_notes(completed=completed) or "{}")


def test_the_last_step_that_finished_is_noted() -> None:
    attempt = Attempt()

    attempt.step("download")
    attempt.step("unpack")

    assert attempt.ran == ["download", "unpack"]
    assert attempt.notes() == {STEP: "unpack"}


def test_the_next_attempt_skips_all_steps_up_to_it() -> None:
    attempt = Attempt({STEP: "unpack"})

    for name in ("download", "unpack", "load"):
        attempt.step(name)

    assert attempt.ran == ["load"]
    assert attempt.notes() == {STEP: "load"}


async def test_an_async_step_gives_its_result_and_none_when_it_is_skipped() -> None:
    async def add(a: int, *, b: int) -> int:
        return a + b

    assert await context_of(claimed()).step("add", add, 1, b=2) == 3
    assert await context_of(claimed(metadata={STEP: "add"})).step("add", add, 1, b=2) is None


def test_a_plain_step_gives_its_result() -> None:
    assert context_of(claimed()).step("max", max, 3, 4) == 4
    assert context_of(claimed(metadata={STEP: "max"})).step("max", max, 3, 4) is None


def test_a_step_that_fails_is_not_noted_and_fails_the_attempt_even_if_it_is_caught() -> None:
    attempt = Attempt()
    attempt.step("download")

    with pytest.raises(ValueError, match="odd"):
        attempt.step("unpack", ValueError("odd"))
    with pytest.raises(ValueError, match="odd"):
        attempt.step("load")
    with pytest.raises(ValueError, match="odd"):
        attempt.context.check_end()

    assert attempt.ran == ["download", "unpack"]
    assert attempt.notes() == {STEP: "download"}


def test_an_attempt_that_never_meets_the_step_to_go_on_from_is_no_success() -> None:
    attempt = Attempt({STEP: "of an older release"})

    attempt.step("download")

    assert attempt.ran == []
    with pytest.raises(NotFound, match="resumable step 'of an older release' does not exist"):
        attempt.context.check_end()


def test_a_step_takes_up_its_cursor_and_leaves_one() -> None:
    attempt = Attempt({STEP: "first", CURSOR: {"copy": 7}})
    seen: list[object] = []

    def copy() -> None:
        seen.append(attempt.context.cursor)
        attempt.context.cursor = {"after": [8, "é"]}
        seen.append(attempt.context.cursor)
        raise ValueError("odd")

    attempt.step("first")
    with pytest.raises(ValueError, match="odd"):
        attempt.context.step("copy", copy)

    assert attempt.ran == []
    assert seen == [7, {"after": [8, "é"]}]
    assert attempt.notes() == {STEP: "first", CURSOR: {"copy": {"after": [8, "é"]}}}


def test_the_cursor_of_a_step_that_finished_is_gone() -> None:
    attempt = Attempt({CURSOR: {"copy": 7}})

    attempt.step("copy")

    assert attempt.ran == ["copy"]
    assert attempt.notes() == {STEP: "copy", CURSOR: None}


def test_a_step_that_is_noted_as_the_last_but_has_a_cursor_runs_again() -> None:
    attempt = Attempt({STEP: "copy", CURSOR: {"copy": 7}})

    attempt.step("copy")

    assert attempt.ran == ["copy"]


def test_steps_may_hold_steps() -> None:
    attempt = Attempt()

    def outer() -> None:
        attempt.context.cursor = 1
        attempt.step("inner")
        assert attempt.context.cursor == 1

    attempt.context.step("outer", outer)

    assert attempt.ran == ["inner"]
    assert attempt.notes() == {STEP: "outer", CURSOR: None}


def test_a_completed_job_keeps_what_it_had_when_it_was_claimed() -> None:
    fresh, resumed, written = Attempt(), Attempt({STEP: "a", CURSOR: {"b": 1}}), Attempt({STEP: "a"})
    for attempt in (fresh, resumed, written):
        attempt.step("a")
        attempt.step("b")
    assert json.loads(written.context.take_notes() or "") == {STEP: "b"}

    assert fresh.notes(completed=True) == {}
    assert resumed.notes(completed=True) == {}
    assert written.notes(completed=True) == {STEP: "a"}


def test_a_cursor_that_was_saved_in_a_transaction_is_written_by_nobody_else() -> None:
    attempt = Attempt()
    context = attempt.context

    def copy() -> None:
        context.cursor = 1
        assert context._steps().saved_in(2) == {CURSOR: '{"copy": 2}'}
        assert context.cursor == 2
        raise ValueError("odd")

    with pytest.raises(ValueError, match="odd"):
        context.step("copy", copy)

    assert attempt.notes() == {}


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_step_has_a_name(name: Any) -> None:
    with pytest.raises(InvalidInput, match=r"step: .* expected a name"):
        context_of(claimed()).step(name, print)


def test_two_steps_cannot_have_the_same_name() -> None:
    attempt = Attempt()
    attempt.step("a")

    with pytest.raises(InvalidInput, match="a name that no other step of the attempt has"):
        attempt.step("a")


def test_a_cursor_belongs_to_a_step() -> None:
    context = context_of(claimed())

    with pytest.raises(InvalidInput, match=r"within ctx\.step"):
        context.cursor = 1
    with pytest.raises(InvalidInput, match=r"within ctx\.step"):
        assert context.cursor


@pytest.mark.parametrize("cursor", [object(), float("nan"), "\x00", {1: 2}])
def test_a_cursor_that_is_no_json_is_refused(cursor: object) -> None:
    context = context_of(claimed())

    def copy() -> None:
        context.cursor = cursor

    with pytest.raises(InvalidInput, match="cursor"):
        context.step("copy", copy)


def test_a_function_that_hides_a_coroutine_is_refused_before_it_could_be_skipped() -> None:
    async def work() -> None: ...

    hidden: Callable[[], object] = lambda: work()  # noqa: E731, PLW0108 - this is what people write

    with pytest.raises(TypeError, match="give the async function itself"):
        context_of(claimed()).step("a", hidden)


def test_cursors_that_are_no_object_are_refused() -> None:
    with pytest.raises(InvalidInput, match="an object of cursors by step"):
        context_of(claimed(metadata={CURSOR: [1]})).step("a", print)


def test_a_context_without_steps_may_end() -> None:
    context: Context = context_of(claimed(metadata={STEP: "a"}))

    context.check_end()
    assert context.all_notes(completed=True) is None
