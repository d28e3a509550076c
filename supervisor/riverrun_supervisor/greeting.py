"""Shows whoever started the daemon by hand where to look, and how to give it its first job."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

from riverrun.settings.schema import Settings
from riverrun_supervisor.plan import ChildPlan

EXAMPLES = "riverrun.examples"
"""The module whose handlers run the job below."""

_JOB = {"task_type": "email", "task_params": {"to": "user@example.com", "subject": "Test"}, "queue": "email"}


def greet(settings: Settings, plans: Iterable[ChildPlan], *, dev: bool) -> None:
    """Print the dashboard's address and a line that enqueues a job, for a person at a terminal or with ``--dev``."""
    if any(plan.role == "admin" for plan in plans) and settings.admin.port and (dev or sys.stderr.isatty()):
        print(greeting(settings), file=sys.stderr)  # noqa: T201 - for the person, not for the log


def greeting(settings: Settings) -> str:
    """Return the text of it."""
    admin = settings.admin
    url = f"{'https' if admin.tls_cert else 'http'}://{_reachable(admin.host)}:{admin.port}"
    dashboard = f"\n  Dashboard    {url}/admin/queue/dashboard\n"
    if EXAMPLES not in settings.handlers.modules:  # nobody would run that job
        return dashboard
    token = " -H 'Authorization: Bearer <token>'" if admin.tokens or admin.require_token else ""
    return (
        f"{dashboard}  Enqueue      curl -X POST {url}/admin/queue/enqueue{token} \\"
        f"\n                 -H 'Content-Type: application/json' -d '{json.dumps(_JOB)}'\n"
    )


def _reachable(host: str) -> str:
    """Return an address that this host can open, for one that may mean every interface."""
    known = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - compared, not bound
    return known.get(host, f"[{host}]" if ":" in host else host)
