"""Runs jobs over HTTP, with aiohttp; the published library of Standard Webhooks verifies who calls.

HANDLER_SECRET=whsec_... python examples/handlers/aiohttp/service.py [port]
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SIGNATURES = web.AppKey("SIGNATURES", Webhook)


async def handle(request: web.Request) -> web.StreamResponse:
    """Run one job; `Idempotency-Key` is the same for every attempt of it, and a cancelled job cancels this call."""
    try:
        job: Any = request.app[SIGNATURES].verify(await request.read(), dict(request.headers))
    except WebhookVerificationError as error:
        return web.Response(status=401, text=str(error))
    args = job["data"]["args"]
    width, height = args.get("width"), args.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        # The same request can never succeed: the job is discarded.
        return web.Response(status=422, text="width and height must be whole numbers")
    if width * height == 0:
        # The header decides, whatever the status: nobody needs the job, and nothing went wrong.
        return web.Response(headers={"Job-Outcome": "cancel"}, text="there is nothing to resize")
    if width * height > 100_000_000:
        # Again in a minute, and the attempt does not count.
        return web.Response(headers={"Job-Outcome": "snooze", "Retry-After": "60"})
    if width * height > 50_000_000:
        # Again in half a minute, and the attempt counts.
        return web.Response(status=503, headers={"Retry-After": "30"}, text="no room for a picture of this size")
    return await resize(request, width, height)


async def resize(request: web.Request, width: int, height: int) -> web.StreamResponse:
    """Tell how far the work is, and at last how it ended; a stream without a result is retried."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)

    async def say(**line: object) -> None:
        await response.write(json.dumps(line).encode() + b"\n")

    await say(t="log", level="info", msg=f"resizing to {width} x {height}")
    for step in (25, 75):
        await asyncio.sleep(0.01)
        await say(t="progress", pct=step, note=f"{step} %")
    await say(t="result", outcome="complete", output={"pixels": width * height}, metadata={"resized_by": "aiohttp"})
    return response


def main(port: int) -> None:
    """Listen on a port of this machine until told to stop."""
    secret = os.environ.get("HANDLER_SECRET", "")
    if not secret:
        sys.exit("HANDLER_SECRET: the secret that was shown when the handler was registered is needed")
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app[SIGNATURES] = Webhook(secret)
    app.router.add_post("/handle", handle)
    web.run_app(app, host="127.0.0.1", port=port, handler_cancellation=True, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
