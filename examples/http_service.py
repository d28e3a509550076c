"""A service that runs jobs: it gets each as a POST request, and its answer says how the attempt ended.

python examples/http_service.py [port]
"""

from __future__ import annotations

import sys

from aiohttp import web


async def handle(request: web.Request) -> web.Response:
    """Run one job; `Idempotency-Key` is the same for every attempt of it."""
    job = (await request.json())["data"]
    width, height = job["args"].get("width"), job["args"].get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        # 422: the same request can never succeed, so the job is discarded.
        return web.Response(status=422, text="width and height must be whole numbers")
    if width * height > 100_000_000:
        # The header decides, whatever the status; the job runs again in a minute, and the attempt does not count.
        return web.Response(headers={"Job-Outcome": "snooze", "Retry-After": "60"})
    print(f"job {job['job_id']}, attempt {job['attempt']}: resizing to {width} × {height}", flush=True)
    # 2xx: completed; a JSON body is kept as the job's output. Any other status: tried again by the retry policy.
    return web.json_response({"pixels": width * height})


def main() -> None:
    """Listen on a port of this machine."""
    app = web.Application()
    app.router.add_post("/handle", handle)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8080)


if __name__ == "__main__":
    main()
