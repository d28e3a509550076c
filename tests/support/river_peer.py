"""A real client of River in another language, driven line by line; which one it is says the environment.

``RIVERRUN_TEST_RIVER_GO`` names the program; without it, tests that need a peer are skipped. What it must understand
is in ``tests/river/README.md``.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

VARIABLE = "RIVERRUN_TEST_RIVER_GO"
ANSWER_SECONDS = 60.0
LONGEST_LINE = 64 * 1024 * 1024

needs_peer = pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} names no client of River")


class PeerRefusedError(Exception):
    """The peer answered with an error; its text is River's."""


class RiverPeer:
    """One process of the peer.

    Attributes:
        events: What it told about its own jobs and queues, in order.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.events: list[dict[str, Any]] = []
        self._process = process
        self._asked = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read(), name="river peer")

    async def ask(self, what: str, **params: Any) -> Any:
        """Ask for something and return the result.

        Raises:
            PeerRefusedError: The peer could not do it.
        """
        assert self._process.stdin is not None
        self._asked += 1
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[self._asked] = answer
        self._process.stdin.write(
            json.dumps({"id": self._asked, "do": what, **params}, ensure_ascii=False).encode() + b"\n"
        )
        await self._process.stdin.drain()
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer

    async def get(self, job_id: int) -> Any:
        """Return one job as the peer reads it."""
        return await self.ask("get", job_id=job_id)

    async def state(self, job_id: int) -> str:
        """Return the state of one job as the peer reads it."""
        return str((await self.get(job_id))["state"])

    async def kill(self) -> None:
        """End the process without a word."""
        self._process.kill()
        await self._process.wait()

    async def close(self) -> None:
        """Let it stop its client and leave."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(20):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "event" in told:
                self.events.append(told)
            elif "error" in told:
                self._answers.pop(told["id"]).set_exception(PeerRefusedError(told["error"]))
            else:
                self._answers.pop(told["id"]).set_result(told["result"])
        for answer in self._answers.values():
            answer.cancel()


@asynccontextmanager
async def river_peer(dsn: str, schema: str | None = None) -> AsyncIterator[RiverPeer]:
    """Give a peer that knows the database and has started nothing yet."""
    process = await asyncio.create_subprocess_exec(
        os.environ[VARIABLE],
        dsn,
        *([schema] if schema else []),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LONGEST_LINE,
    )
    peer = RiverPeer(process)
    try:
        yield peer
    finally:
        await peer.close()
