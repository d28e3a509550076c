"""What handlers share: who gets it, when it is opened, and that it is closed whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from riverrun import Context, handler, handlers, resource, resources
from riverrun.errors import ResourceUnavailable
from riverrun.resources import Resource, opened
from riverrun.signature import arguments_of, resources_of
from support.attempts import claimed, context_of


class Pool:
    """Something to share."""


class Other(Pool):
    """Something else to share."""


@pytest.fixture(autouse=True)
def own_registries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test begin with nothing registered, and put everything back behind it."""
    monkeypatch.setattr(resources, "_registered", {})
    monkeypatch.setattr(handlers, "_registered", {})


@pytest.fixture
def said() -> list[str]:
    """Give a list of what happened."""
    return []


def known(name: str) -> Resource:
    return resources._registered[name]


def arguments(function: Any) -> list[object]:
    """Return what a handler would be called with."""
    job = claimed({"a": "b"})
    return arguments_of(function)(job, context_of(job))


async def test_a_handler_gets_what_its_parameters_name_or_are_annotated_with() -> None:
    pool, other = Pool(), Other()

    @resource
    def shared() -> Pool:
        return pool

    @resource
    def spare() -> Other:
        return other

    async def by_name(args: dict[str, Any], shared: Pool, spare, ctx: Context) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001

    async def by_type(a: Pool, b: Other) -> None: ...

    assert resources_of(by_name) == (known("shared"), known("spare"))
    async with opened(resources_of(by_name)):
        args, first, second, context = arguments(by_name)
        assert (args, first, second) == ({"a": "b"}, pool, other)
        assert isinstance(context, Context)
        assert arguments(by_type) == [pool, other]


async def test_arguments_that_have_the_type_of_a_resource_stay_arguments() -> None:
    @resource
    def config() -> dict[str, str]:
        return {"from": "resource"}

    async def plain(args: dict[str, str]) -> None: ...

    async def named(config: dict[str, str]) -> None: ...

    async with opened([known("config")]):
        assert arguments(plain) == [{"a": "b"}]
        assert arguments(named) == [{"from": "resource"}]


async def test_every_form_of_a_resource_is_opened_once_and_closed_in_reverse(said: list[str]) -> None:
    @resource
    async def first() -> AsyncIterator[str]:
        said.append("open first")
        yield "first"
        said.append("close first")

    @resource
    def second(first: str) -> Iterator[str]:
        said.append("open second")
        yield f"{first} second"
        said.append("close second")

    @resource
    @asynccontextmanager
    async def third(second: str) -> AsyncIterator[str]:
        said.append("open third")
        yield f"{second} third"
        said.append("close third")

    @resource
    async def fourth(third: str) -> str:
        return f"{third} fourth"

    async def all_of_them(fourth, third, first) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001

    async with opened(resources_of(all_of_them)):
        assert arguments(all_of_them) == ["first second third fourth", "first second third", "first"]
        assert said == ["open first", "open second", "open third"]

    assert said[3:] == ["close third", "close second", "close first"]
    with pytest.raises(ResourceUnavailable, match="resource fourth: it is not open"):
        arguments(all_of_them)


async def test_what_cannot_be_opened_is_named_and_what_was_open_is_closed(said: list[str]) -> None:
    @resource
    async def first() -> AsyncIterator[str]:
        yield "first"
        said.append("close first")

    @resource
    async def second(first: str) -> str:
        raise ConnectionRefusedError("nobody there")

    with pytest.raises(ResourceUnavailable, match="resource second: ConnectionRefusedError: nobody there"):
        async with opened([known("second")]):
            pass

    assert said == ["close first"]


async def test_what_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setattr(resources, "OPEN_SECONDS", 0.05)
    monkeypatch.setattr(resources, "CLOSE_SECONDS", 0.05)

    @resource
    async def slow_to_close() -> AsyncIterator[str]:
        yield "open"
        await asyncio.sleep(60)

    @resource
    async def slow_to_open() -> None:
        await asyncio.sleep(60)

    async with opened([known("slow_to_close")]):
        pass
    with pytest.raises(ResourceUnavailable, match=r"was not open after 0\.05 s"):
        async with opened([known("slow_to_open")]):
            pass


async def test_what_fails_to_close_keeps_no_other_open(said: list[str], caplog: pytest.LogCaptureFixture) -> None:
    @resource
    async def first() -> AsyncIterator[str]:
        yield "first"
        said.append("close first")

    @resource
    async def second(first: str) -> AsyncIterator[str]:
        yield "second"
        raise RuntimeError("broken")

    async with opened([known("second")]):
        pass

    assert said == ["close first"]
    assert "resource_not_closed" in caplog.messages


def test_what_takes_an_unknown_resource_is_refused_when_it_is_defined() -> None:
    with pytest.raises(TypeError, match="pool is no resource; define it before second"):

        @resource
        def second(pool: Pool) -> None: ...

    with pytest.raises(TypeError, match="and no resource gives it"):

        @handler("report")
        async def report(args: dict[str, str], pool: Pool) -> None: ...


def test_two_resources_of_one_name_are_refused() -> None:
    @resource
    def pool() -> Pool:
        return Pool()

    def another() -> Pool:
        return Pool()

    another.__name__ = "pool"
    with pytest.raises(ValueError, match="two resources 'pool'"):
        resource(another)
