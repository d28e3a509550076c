"""The pipe passes words between supervisor and child, and neither can hold the other up."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from riverrun.messages import Alive, Control, Drain, HostMetrics, Message, Metrics, Wake, decode, encode
from riverrun.pipe import LINE_LIMIT, ChildPipe, ParentPipe, Pipe
from support.eventually import eventually


@pytest.fixture
async def ends(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[ParentPipe, ChildPipe]]:
    """Both ends of an open pipe, in one process."""
    parent = ParentPipe()
    inherited = os.dup(parent.child_end.fileno())
    parent.child_end.close()
    monkeypatch.setenv("RIVERRUN_PIPE_FD", str(inherited))
    child = ChildPipe.from_environment()
    yield parent, child
    await parent.close()
    await child.close()


def collect(pipe: Pipe, *kinds: type[Message]) -> list[Message]:
    heard: list[Message] = []
    for kind in kinds:
        pipe.on(kind, heard.append)
    return heard


@pytest.mark.parametrize(
    "message",
    [
        Drain(),
        Wake("邮件"),
        Control("river_control", '{"action":"pause","queue":"*"}'),
        Alive(7),
        Metrics([("a_total", {"queue": "q"}, 1.5)], None),
        HostMetrics(1, []),
    ],
)
def test_a_message_survives_the_way(message: Message) -> None:
    line = encode(message)

    assert line.count(b"\n") == 1
    assert encode(decode(line) or Drain()) == line


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b'{"type":"from the future"}', b'{"type":"wake"}', b'{"type":[]}'])
def test_what_this_release_does_not_know_is_ignored(line: bytes) -> None:
    assert decode(line) is None


async def test_messages_arrive_in_order(ends: tuple[ParentPipe, ChildPipe]) -> None:
    parent, child = ends
    heard = collect(child, Wake, Drain)
    await parent.open()
    await child.open()

    parent.send(Wake("a"))
    parent.send(Wake("b"))
    parent.send(Drain())

    await eventually(lambda: heard == [Wake("a"), Wake("b"), Drain()], within=5)


async def test_a_slow_reader_loses_wakes_but_no_drain(ends: tuple[ParentPipe, ChildPipe]) -> None:
    parent, child = ends
    heard = collect(child, Wake, Drain)
    await parent.open()

    sent = sum(parent.send(Wake("x" * 1000)) for _ in range(5000))
    drained = parent.send(Drain())
    await child.open()

    assert 0 < sent < 5000
    assert drained
    await eventually(lambda: heard[-1:] == [Drain()] and len(heard) == sent + 1, within=5)


async def test_a_line_without_end_is_dropped_and_the_next_is_read(ends: tuple[ParentPipe, ChildPipe]) -> None:
    parent, child = ends
    heard = collect(child, Drain)
    await parent.open()
    await child.open()

    assert not parent.send(Control("river_control", "x" * LINE_LIMIT))
    parent.send(Drain())

    await eventually(lambda: heard == [Drain()], within=5)


async def test_the_child_notices_that_the_supervisor_is_gone(ends: tuple[ParentPipe, ChildPipe]) -> None:
    parent, child = ends
    closed: list[bool] = []
    child.on_close(lambda: closed.append(True))
    await parent.open()
    await child.open()

    await parent.close()

    await eventually(lambda: closed == [True] and not child.is_open, within=5)


async def test_without_a_supervisor_the_pipe_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RIVERRUN_PIPE_FD", raising=False)
    child = ChildPipe.from_environment()

    await child.open()

    assert not child.send(Alive(1))
    assert child.parent_pid() is None
    await child.close()


async def test_the_kernel_names_the_process_that_made_the_pipe(ends: tuple[ParentPipe, ChildPipe]) -> None:
    _, child = ends

    assert child.parent_pid() == os.getpid()
