"""The processes in which isolated handlers run: started when one is needed, kept for the next attempt, killed at will.

They are started by exec, never by fork: the executor has threads, sockets and perhaps gRPC.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator

from riverrun.context import Context
from riverrun.outcome import Outcome
from riverrun_executor.children.wire import (
    MAX_LINE_BYTES,
    Begin,
    Ended,
    Hello,
    Logged,
    Message,
    Noted,
    Ready,
    Stop,
    Stopped,
    decode,
    encode,
)

START_SECONDS, LEAVE_SECONDS = 30.0, 6.0


class ChildEnded(Exception):
    """The process ended while it was needed; the message says how."""


class Child:
    """One process, which runs one attempt at a time."""

    def __init__(
        self, process: asyncio.subprocess.Process, orders: asyncio.WriteTransport, answers: asyncio.StreamReader
    ) -> None:
        self._process = process
        self._orders = orders
        self._answers = answers

    async def ready(self) -> None:
        """Wait until it has loaded the handlers.

        Raises:
            ChildEnded: It never will.
        """
        try:
            async with asyncio.timeout(START_SECONDS):
                async for message in self._messages():
                    if isinstance(message, Ready):
                        return
        except TimeoutError:
            raise ChildEnded(f"did not start within {START_SECONDS:g} s") from None

    async def run(self, begin: Begin, context: Context) -> Outcome | None:
        """Run an attempt and return its outcome; ``None`` when it stopped because it was told to.

        Raises:
            ChildEnded: The process ended first.
        """
        self.tell(begin)
        async for message in self._messages():
            match message:
                case Noted(notes=notes):
                    context.relay(notes)
                case Ended():
                    context.relay(message.notes)
                    return message.outcome
                case Stopped():
                    context.relay(message.notes)
                    return None
                case _:
                    self.kill()
                    raise ChildEnded(f"said {type(message).__name__} within an attempt")
        raise ChildEnded("ended")

    def tell(self, message: Message) -> None:
        """Give an order; one that has ended does not hear it."""
        self._orders.write(encode(message))

    def stop(self) -> None:
        """Tell it that its attempt is over."""
        self.tell(Stop())

    def kill(self) -> None:
        """End it, and whatever it has started."""
        if not self.is_reaped:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._orders.close()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    @property
    def is_reaped(self) -> bool:
        """Whether nothing is left to wait for."""
        return self._process.returncode is not None

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone, or has closed its pipe, which is heard of sooner."""
        return self.is_reaped or self._answers.at_eof()

    def leave(self) -> None:
        """Let it go, now that nobody will tell it anything any more."""
        self._orders.close()

    async def end(self) -> None:
        """Wait until it is gone, and kill it when it does not go."""
        try:
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    async def _messages(self) -> AsyncIterator[Message]:
        """Yield what it says beside its log; raises `ChildEnded` at its end."""
        while True:
            try:
                line = await self._answers.readline()
                message = decode(line) if line else None
            except ValueError:
                self.kill()
                raise ChildEnded("wrote into the pipe to its executor") from None
            if message is None:
                raise ChildEnded(_ending(await self._process.wait()))
            if isinstance(message, Logged):
                record = logging.makeLogRecord(message.record)
                logging.getLogger(record.name).handle(record)
            else:
                yield message


class Children:
    """The processes of one executor.

    Args:
        hello: What each is told first.
        most_idle: How many of those that have nothing to do are kept.
    """

    def __init__(self, hello: Hello, *, most_idle: int) -> None:
        self._hello = hello
        self._most_idle = most_idle
        self._idle: list[Child] = []
        self._all: set[Child] = set()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The processes that were started and may still be there."""
        return [child.pid for child in self._all]

    async def lend(self) -> Child:
        """Return a process that has nothing to do, a new one if there is none.

        Raises:
            ChildEnded: No new one could be started.
        """
        if self._closed:
            raise ChildEnded("is not started any more: the executor stops")
        while self._idle:
            idle = self._idle.pop()
            if not idle.has_ended:
                return idle
            idle.kill()
        self._all = {child for child in self._all if not child.is_reaped}
        child = await self._start()
        try:
            await child.ready()
        except BaseException:
            child.kill()
            raise
        return child

    def give_back(self, child: Child) -> None:
        """Take back a process whose attempt has ended."""
        if len(self._idle) < self._most_idle:
            self._idle.append(child)
        else:
            child.leave()

    async def close(self) -> None:
        """Let idle processes close what they share, and end the others, whatever they are doing."""
        self._closed = True
        idle, self._idle = self._idle, []
        for child in self._all:
            child.leave() if child in idle else child.kill()
        await asyncio.gather(*(child.end() for child in self._all))

    async def _start(self) -> Child:
        orders_in, orders_out = os.pipe()
        answers_in, answers_out = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "riverrun_executor.children.child",
                str(os.getpid()), str(orders_in), str(answers_out),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(orders_in, answers_out),
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            os.close(orders_out)
            os.close(answers_in)
            raise ChildEnded(f"could not be started: {error}") from error
        finally:
            os.close(orders_in)
            os.close(answers_out)
        loop = asyncio.get_running_loop()
        answers = asyncio.StreamReader(limit=MAX_LINE_BYTES)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(answers), os.fdopen(answers_in, "rb", 0))
        orders, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(orders_out, "wb", 0))
        child = Child(process, orders, answers)
        self._all.add(child)
        child.tell(self._hello)
        return child


def _ending(code: int) -> str:
    """Say how a process ended."""
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
