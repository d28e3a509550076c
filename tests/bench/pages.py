"""How long each page and list takes on a database of many jobs, and which statements take longer than they may.

PYTHONPATH=tests .venv/bin/python -m bench.pages --jobs 10000000
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench.admin_process import AdminProcess, admin_process
from bench.server import Server, server
from riverrun.settings.connection import url_from_conninfo
from riverrun_admin.openapi import is_for_browsers
from riverrun_admin.roles import ROLES

QUEUECTL = Path(sys.executable).with_name("queuectl")
JOBS, TIMES, SLOW_MS = 10_000_000, 5, 30
ENDLESS = {"/admin/queue/events", "/admin/audit/export", "/admin/login", "/admin/page/find"}
LISTS = (
    "/admin/queue/jobs?state=completed", "/admin/queue/jobs?state=available", "/admin/queue/jobs?state=discarded",
    "/admin/queue/jobs?state=retryable&state=scheduled", "/admin/queue/jobs?queue=bench",
    "/admin/queue/jobs?filter=state:discarded+kind:bench_email", "/admin/queue/jobs?filter=tag:billing",
    "/admin/queue/jobs?filter=args.to:user77@example.com", "/admin/queue/jobs?filter=state:discarded+error:timeout",
    "/admin/queue/jobs?filter=kind:none", "/admin/queue/jobs?filter=queue:none",
    "/admin/queue/dashboard?period=30d", "/admin/page/queue?name=bench",
)  # fmt: skip


def main() -> None:
    """Seed, measure, and print what was found as JSON."""
    parser = argparse.ArgumentParser(prog="bench.pages", description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=JOBS)
    given = parser.parse_args()
    with server() as postgres:
        dsn = postgres.create("pages")
        environment = {**os.environ, "DATABASE_URL": url_from_conninfo(dsn)}
        for arguments in (("migrate", "up"), ("bench", "seed", "--jobs", str(given.jobs))):
            subprocess.run([QUEUECTL, *arguments], env=environment, check=True, stdout=sys.stderr)
        with admin_process(dsn) as admin:
            found = _measure(postgres, admin)
    sys.stdout.write(json.dumps({"jobs": given.jobs, **found}, indent=1) + "\n")


def _measure(postgres: Server, admin: AdminProcess) -> dict[str, Any]:
    with postgres.connect() as conn:
        conn.execute(f"ALTER SYSTEM SET log_min_duration_statement = {SLOW_MS}".encode())
        conn.execute("SELECT pg_reload_conf()")
    templates = sorted(path for method, path in ROLES if method == "GET" and "{" not in path and path not in ENDLESS)
    milliseconds = {}
    for path in (*templates, *LISTS):
        if not is_for_browsers(path) or path.startswith("/admin/page/"):
            milliseconds[path] = {
                accepted: _ask(admin, path, accepted) for accepted in ("text/html", "application/json")
            }
    return {"milliseconds": milliseconds, "slow_statements": _slow(postgres.log)}


def _ask(admin: AdminProcess, path: str, accepted: str) -> dict[str, float]:
    """Return the median and the worst of a few answers that do not come from what is kept for a second or two."""
    times, status, size = [], 0, 0
    for _ in range(TIMES):
        request = urllib.request.Request(admin.url + path, headers={"Accept": accepted})
        started = time.perf_counter()
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                status, size = response.status, len(response.read())
        except urllib.error.HTTPError as error:
            status = error.code
        times.append((time.perf_counter() - started) * 1000)
        time.sleep(1.1)
    return {
        "status": status,
        "median": round(statistics.median(times), 1),
        "worst": round(max(times), 1),
        "bytes": size,
    }


def _slow(log: Path) -> dict[str, list[float]]:
    """Return the durations of the statements that were logged for taking long, by the name of their file."""
    found: dict[str, list[float]] = {}
    for took, name in re.findall(r"duration: ([\d.]+) ms .*?-- (\w+\.sql)", log.read_text(errors="replace"), re.DOTALL):
        found.setdefault(name, []).append(float(took))
    return found


if __name__ == "__main__":
    main()
