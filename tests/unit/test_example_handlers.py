"""The handlers that a newcomer meets first do what their page says, with the arguments it gives."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from riverrun import handlers
from riverrun.handlers import Handler, load_handlers
from riverrun.outcome import Completed, Failed, Outcome
from riverrun_executor.handlers.local import LocalHandler
from riverrun_executor.outliving import Outliving
from support.attempts import claimed, context_of

Run = Callable[[str, str], Awaitable[tuple[Outcome, dict[str, Any]]]]
MODULE = "riverrun.examples"
DOCUMENTED = {
    "email": '{"to": "ada@example.com", "subject": "Hello"}',
    "echo": '{"any": ["arguments"]}',
    "sleep": '{"seconds": 10}',
    "count": '{"to": 1000000}',
    "fail": '{"message": "no luck"}',
}


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, Handler]]:
    """Give the examples alone, without the handlers that other tests have loaded into this process."""
    monkeypatch.setattr(handlers, "_registered", {})
    sys.modules.pop(MODULE, None)
    yield load_handlers([MODULE])
    del sys.modules[MODULE]


@pytest.fixture
async def threads() -> AsyncIterator[ThreadPoolExecutor]:
    """Give threads for plain functions."""
    with ThreadPoolExecutor() as threads:
        yield threads


@pytest.fixture
def run(examples: Mapping[str, Handler], threads: ThreadPoolExecutor) -> Run:
    """Give a function that runs one attempt of an example and returns its outcome and its notes."""

    async def run_one(kind: str, args: str) -> tuple[Outcome, dict[str, Any]]:
        job = claimed(args, kind=kind)
        context = context_of(job)
        outcome = await LocalHandler(examples[kind], threads, Outliving()).run(job, context)
        return outcome, json.loads(context.all_notes() or "{}")

    return run_one


def test_every_example_is_documented_with_the_arguments_tried_here(examples: Mapping[str, Handler]) -> None:
    page = sys.modules[MODULE].__doc__ or ""

    assert dict(re.findall(r"^(\w+) +(\{.*\}) ", page, re.MULTILINE)) == DOCUMENTED
    assert set(examples) == set(DOCUMENTED)


@pytest.mark.parametrize(
    ("kind", "output"),
    [("email", {"status": "sent"}), ("echo", {"any": ["arguments"]}), ("count", {"counted": 1_000_000})],
)
async def test_an_example_leaves_its_output(run: Run, kind: str, output: object) -> None:
    outcome, notes = await run(kind, DOCUMENTED[kind])

    assert outcome == Completed()
    assert notes["output"] == output


async def test_the_sleeper_shows_its_progress(run: Run) -> None:
    outcome, notes = await run("sleep", DOCUMENTED["sleep"].replace("10", "0.05"))

    assert outcome == Completed()
    assert 0 <= notes["riverrun:progress"]["fraction"] <= 1
    assert (await run("sleep", '{"seconds": 0}'))[0] == Completed()


async def test_the_failing_one_fails(run: Run) -> None:
    outcome, _ = await run("fail", DOCUMENTED["fail"])

    assert isinstance(outcome, Failed)
    assert outcome.error == "RuntimeError: no luck"


@pytest.mark.parametrize(("kind", "args"), [("email", "{}"), ("sleep", '{"seconds": "long"}'), ("count", '{"to": []}')])
async def test_wrong_arguments_are_named(run: Run, kind: str, args: str) -> None:
    outcome, _ = await run(kind, args)

    assert isinstance(outcome, Failed)
    assert outcome.error.startswith("invalid arguments: ")


async def test_integers_of_any_size_are_echoed_digit_by_digit(run: Run) -> None:
    _, notes = await run("echo", '{"big": 123456789012345678901234567890}')

    assert notes["output"] == {"big": 123456789012345678901234567890}
