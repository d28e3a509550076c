"""Runs jobs over HTTP, with FastAPI.

HANDLER_SECRET=whsec_... python examples/handlers/fastapi/service.py [port]
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

KEY = base64.b64decode(os.environ.get("HANDLER_SECRET", "").removeprefix("whsec_"))
TOLERANCE_SECONDS = 300
if not KEY:  # with an empty key anybody could sign
    sys.exit("HANDLER_SECRET: the secret that was shown when the handler was registered is needed")

app = FastAPI()


def verify(headers: Any, body: bytes) -> None:
    """Refuse what was not signed with our secret, and what was signed long ago."""
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs(time.time() - int(stamp)) > TOLERANCE_SECONDS:
        raise HTTPException(401, "the timestamp is missing or too old")
    signed = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    ours = "v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    # There are two while the secret is being changed.
    if not any(hmac.compare_digest(ours, theirs) for theirs in headers.get("webhook-signature", "").split()):
        raise HTTPException(401, "the signature is not ours")


@app.post("/handle")
async def handle(request: Request) -> Response:
    """Run one job; `idempotency-key` is the same for every attempt of it."""
    body = await request.body()
    verify(request.headers, body)
    args = json.loads(body)["data"]["args"]
    width, height = args.get("width"), args.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        # The same request can never succeed: the job is discarded.
        return Response("width and height must be whole numbers", status_code=422)
    if width * height == 0:
        # The header decides, whatever the status: nobody needs the job, and nothing went wrong.
        return Response("there is nothing to resize", headers={"Job-Outcome": "cancel"})
    if width * height > 100_000_000:
        # Again in a minute, and the attempt does not count.
        return Response(headers={"Job-Outcome": "snooze", "Retry-After": "60"})
    if width * height > 50_000_000:
        # Again in half a minute, and the attempt counts.
        return Response("no room for a picture of this size", status_code=503, headers={"Retry-After": "30"})
    return StreamingResponse(resize(width, height), media_type="application/x-ndjson")


async def resize(width: int, height: int) -> AsyncIterator[str]:
    """Tell how far the work is, and at last how it ended; a stream without a result is retried."""
    yield json.dumps({"t": "log", "level": "info", "msg": f"resizing to {width} x {height}"}) + "\n"
    for step in (25, 75):
        await asyncio.sleep(0.01)
        yield json.dumps({"t": "progress", "pct": step, "note": f"{step} %"}) + "\n"
    yield json.dumps({"t": "output", "data": {"pixels": width * height}}) + "\n"
    yield json.dumps({"t": "result", "outcome": "complete"}) + "\n"


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8080, log_level="warning")
