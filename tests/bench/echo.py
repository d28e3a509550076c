"""``python -m bench.echo http|grpc SECONDS``: a service that does nothing but wait, and says its port.

It is small enough to be no part of what is measured.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from typing import Any

import uvloop

from riverrun_executor.proto.riverrun.v1.handler_pb2 import RunRequest, RunResult
from riverrun_executor.proto.riverrun.v1.handler_pb2_grpc import JobHandlerServicer, add_JobHandlerServicer_to_server

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
END, LENGTH = b"\r\n\r\n", b"content-length:"


class Http(asyncio.Protocol):
    """Answers each request of a connection after a while, once its body has come."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(END)
        if not end or len(body) < _length(head):
            return
        self._received = b""
        if self._seconds:
            asyncio.get_running_loop().call_later(self._seconds, self._transport.write, ANSWER)
        else:
            self._transport.write(ANSWER)


def _length(head: bytes) -> int:
    return int(head.lower().partition(LENGTH)[2].split(b"\r\n", 1)[0])


class Grpc(JobHandlerServicer):
    """Answers each call after a while."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def Run(self, request: RunRequest, context: Any) -> RunResult:  # noqa: N802 - named in the contract
        if self._seconds:
            await asyncio.sleep(self._seconds)
        return RunResult()


async def main(protocol: str, seconds: float) -> None:
    """Serve until killed."""
    if protocol == "http":
        loop = asyncio.get_running_loop()
        server = await loop.create_server(partial(Http, seconds), "127.0.0.1", 0, backlog=2048)
        port = server.sockets[0].getsockname()[1]
    else:
        import grpc  # noqa: PLC0415 - the HTTP service is smaller without

        grpc_server = grpc.aio.server()
        add_JobHandlerServicer_to_server(Grpc(seconds), grpc_server)
        port = grpc_server.add_insecure_port("127.0.0.1:0")
        await grpc_server.start()
    print(port, flush=True)  # noqa: T201 - for who has started it
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], float(sys.argv[2])))
