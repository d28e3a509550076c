"""``python -m riverrun_executor.children.child``: runs attempts of isolated handlers, one at a time.

It reads orders from one pipe and answers over another; see `wire`. Its standard output is the executor's own. When the
executor is gone, the kernel kills it (Linux), or the end of the pipe tells it to leave.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import resource
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from riverrun.context import Context
from riverrun.database.statements import Statements
from riverrun.handlers import load_handlers
from riverrun.outcome import Completed
from riverrun.process import die_with
from riverrun.resources import opened
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
from riverrun_executor.handlers.local import LocalHandler
from riverrun_executor.outliving import Outliving

NOTE_SECONDS = 1.0
_MEGABYTE = 1024 * 1024


class Answers:
    """The pipe to the executor; a line is written at once and as a whole, from whatever thread.

    What a handler said last is there even if it ends the process right after.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Tell the executor something."""
        line = memoryview(encode(message))
        with self._lock:
            while line:
                line = line[os.write(self._pipe, line) :]


class LogRelay(logging.Handler):
    """Hands log records to the executor, so that one process writes its log."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self._answers = answers

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record with its message and its traceback made into text."""
        fields = {**record.__dict__, "msg": record.getMessage(), "args": None, "exc_info": None, "stack_info": None}
        if record.exc_info:
            fields["exc_text"] = logging.Formatter().formatException(record.exc_info)
        self._answers.send(Logged(fields))


class Child:
    """The process: its handlers, and the attempt that runs now."""

    def __init__(self, hello: Hello, answers: Answers) -> None:
        self._hello = hello
        self._answers = answers
        self._statements = Statements(hello.schema)
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="handler")
        self._threads.submit(int).result()  # the thread's own memory is there before any limit is set
        known = load_handlers(hello.modules, [Path(folder) for folder in hello.path])
        isolated = {kind: handler for kind, handler in known.items() if handler.isolated}
        self._resources = [resource for handler in isolated.values() for resource in handler.resources]
        self._handlers = {kind: LocalHandler(handler, self._threads, Outliving()) for kind, handler in isolated.items()}
        self._attempt: asyncio.Task[None] | None = None

    async def obey(self, orders: asyncio.StreamReader) -> None:
        """Follow orders until there are no more."""
        async with opened(self._resources):
            self._answers.send(Ready())
            while line := await orders.readline():
                match decode(line):
                    case Begin() as begin:
                        self._attempt = asyncio.create_task(self._run(begin), name=f"job {begin.job.id}")
                    case Stop() if self._attempt is not None:
                        self._attempt.cancel()

    async def _run(self, begin: Begin) -> None:
        job = begin.job
        context = Context(
            job, server_id=self._hello.server_id, incarnation=self._hello.incarnation, statements=self._statements
        )
        context.limit_seconds = begin.limit_seconds
        noting = asyncio.create_task(self._note(context), name="notes")
        try:
            with limited_memory(begin.memory_mb):
                outcome = await self._handlers[begin.handler].run(job, context)
        except asyncio.CancelledError:
            self._answers.send(Stopped(context.all_notes()))
        else:
            self._answers.send(Ended.of(outcome, context.all_notes(completed=isinstance(outcome, Completed))))
        finally:
            noting.cancel()

    async def _note(self, context: Context) -> None:
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            if notes := context.take_notes():
                self._answers.send(Noted(notes))


@contextlib.contextmanager
def limited_memory(megabytes: int | None) -> Iterator[None]:
    """Let this process take no more than ``megabytes`` beyond what it has; only Linux knows what that is."""
    if megabytes is None or sys.platform != "linux":
        yield
        return
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + megabytes * _MEGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


async def main(reading: int, writing: int) -> None:
    """Live until the executor closes the pipe."""
    orders = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), os.fdopen(reading, "rb", buffering=0)
    )
    hello = decode(await orders.readline())
    if not isinstance(hello, Hello):
        raise TypeError("the executor must say first where handlers are")
    answers = Answers(writing)
    logging.basicConfig(level=hello.log_level, handlers=[LogRelay(answers)], force=True)
    await Child(hello, answers).obey(orders)


if __name__ == "__main__":
    parent, reading, writing = map(int, sys.argv[1:])
    die_with(parent)
    faulthandler.enable()
    asyncio.run(main(reading, writing))
    os._exit(0)  # a thread of an attempt that nobody waits for any more must not hold the process
