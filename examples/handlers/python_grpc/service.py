"""Runs jobs over gRPC.

python examples/handlers/python_grpc/service.py [port]
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration

from riverrun_executor.proto.riverrun.v1.handler_pb2 import Error, LogLine, Progress, RunEvent, RunRequest, RunResult
from riverrun_executor.proto.riverrun.v1.handler_pb2_grpc import JobHandlerServicer, add_JobHandlerServicer_to_server


def refusal(pixels: int) -> RunResult | None:
    """Return the result for a size that is not worked now; None: it is."""
    if pixels == 0:
        # Nobody needs the job, and nothing went wrong.
        return RunResult(outcome=RunResult.CANCEL, error=Error(message="there is nothing to resize"))
    if pixels > 100_000_000:
        # Again in a minute, and the attempt does not count.
        return RunResult(outcome=RunResult.SNOOZE, delay=Duration(seconds=60))
    if pixels > 50_000_000:
        # Again in half a minute, and the attempt counts.
        error = Error(message="no room for a picture of this size")
        return RunResult(outcome=RunResult.RETRY, delay=Duration(seconds=30), error=error)
    return None


class Resizer(JobHandlerServicer):
    """Runs jobs of kind ``resize``; `idempotency_key` is the same for every attempt of one."""

    async def RunStream(  # noqa: N802 - named in the contract
        self, request: RunRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[RunEvent]:
        """Tell how far the work is, and at last how it ended; when the job is cancelled so is this call."""
        args = json.loads(request.args_json)
        width, height = args.get("width"), args.get("height")
        if not isinstance(width, int) or not isinstance(height, int):
            # The same call can never succeed: the job is discarded.
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "width and height must be whole numbers")
        if (answer := refusal(width * height)) is not None:
            yield RunEvent(result=answer)
            return
        yield RunEvent(log=LogLine(level="info", message=f"resizing to {width} x {height}"))
        for step in (0.25, 0.75):
            await asyncio.sleep(0.01)
            yield RunEvent(progress=Progress(fraction=step, note=f"{step:.0%}"))
        output = json.dumps({"pixels": width * height}).encode()
        yield RunEvent(result=RunResult(output_json=output))


async def main(port: int) -> None:
    """Listen on a port of this machine until told to stop."""
    server = grpc.aio.server()
    add_JobHandlerServicer_to_server(Resizer(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: asyncio.ensure_future(server.stop(1)))
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50051))
