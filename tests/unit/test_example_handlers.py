"""The handlers that a newcomer meets first do what their page says, with the arguments it gives."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from riverrun import examples
from riverrun.handlers import load_handlers
from riverrun.outcome import Completed, Failed, Outcome
from riverrun_executor.handlers.local import LocalHandler
from support.attempts import claimed, context_of

DOCUMENTED = dict(re.findall(r"^    (\w+) +(\{.*\}) ", examples.__doc__ or "", re.MULTILINE))


@pytest.fixture
async def threads() -> AsyncIterator[ThreadPoolExecutor]:
    """Give threads for plain functions."""
    with ThreadPoolExecutor() as threads:
        yield threads


async def run(threads: ThreadPoolExecutor, kind: str, args: str) -> tuple[Outcome, dict[str, Any]]:
    """Run one attempt of an example; return its outcome and its notes."""
    handler = load_handlers(["riverrun.examples"])[kind]
    job = claimed(args, kind=kind)
    context = context_of(job)
    outcome = await LocalHandler(handler, threads, lambda _: None).run(job, context)
    return outcome, json.loads(context.all_notes() or "{}")


def test_every_example_is_documented() -> None:
    known = load_handlers(["riverrun.examples"])
    ours = {kind for kind, handler in known.items() if handler.function.__module__ == examples.__name__}

    assert set(DOCUMENTED) == ours


@pytest.mark.parametrize(
    ("kind", "output"),
    [("email", {"status": "sent"}), ("echo", {"any": ["arguments"]}), ("count", {"counted": 1_000_000})],
)
async def test_an_example_leaves_its_output(threads: ThreadPoolExecutor, kind: str, output: object) -> None:
    outcome, notes = await run(threads, kind, DOCUMENTED[kind])

    assert outcome == Completed()
    assert notes["output"] == output


async def test_the_sleeper_shows_its_progress(threads: ThreadPoolExecutor) -> None:
    outcome, notes = await run(threads, "sleep", DOCUMENTED["sleep"].replace("10", "0.05"))

    assert outcome == Completed()
    assert 0 <= notes["riverrun:progress"]["fraction"] <= 1
    assert (await run(threads, "sleep", '{"seconds": 0}'))[0] == Completed()


async def test_the_failing_one_fails(threads: ThreadPoolExecutor) -> None:
    outcome, _ = await run(threads, "fail", DOCUMENTED["fail"])

    assert isinstance(outcome, Failed)
    assert outcome.error == "RuntimeError: no luck"


@pytest.mark.parametrize(("kind", "args"), [("email", "{}"), ("sleep", '{"seconds": "long"}'), ("count", '{"to": []}')])
async def test_wrong_arguments_are_named(threads: ThreadPoolExecutor, kind: str, args: str) -> None:
    outcome, _ = await run(threads, kind, args)

    assert isinstance(outcome, Failed)
    assert outcome.error.startswith("invalid arguments: ")


async def test_integers_of_any_size_are_echoed_digit_by_digit(threads: ThreadPoolExecutor) -> None:
    _, notes = await run(threads, "echo", '{"big": 123456789012345678901234567890}')

    assert notes["output"] == {"big": 123456789012345678901234567890}
