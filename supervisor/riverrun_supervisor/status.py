"""How the processes of this host are, in one object, in one line, and in one word."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from riverrun_supervisor.child import Child, State
from riverrun_supervisor.start import Progress


def report(server_id: str, children: Iterable[Child], *, start: Progress, leaving: bool) -> dict[str, object]:
    """Return what ``queuectl status`` shows."""
    return {
        "server_id": server_id,
        "pid": os.getpid(),
        "state": "stopping" if leaving else start.value,
        "children": [_child(child) for child in children],
    }


def line(children: Sequence[Child], *, leaving: bool) -> str:
    """Return the line that ``systemctl status`` shows; trouble comes first."""
    loops = [child.plan.name for child in children if child.is_crash_looping]
    silent = [child.plan.name for child in children if child.pid is not None and not child.is_answering]
    counts = Counter(child.plan.role for child in children if child.state is State.RUNNING)
    parts = [f"crash loop: {', '.join(loops)}"] if loops else []
    parts += [f"not answering: {', '.join(silent)}"] if silent else []
    parts += ["stopping"] if leaving else []
    parts += [f"{number} {role}{'s' * (number > 1)}" for role, number in sorted(counts.items())] or ["nothing runs"]
    return "; ".join(parts)


def is_sound(children: Iterable[Child]) -> bool:
    """Return whether the watchdog may be fed.

    An executor that does not answer is reported, but is no reason to kill the whole daemon: a handler that holds the
    interpreter silences it, and it goes on after that.
    """
    return all(child.is_answering or child.pid is None or child.plan.role == "executor" for child in children)


def _child(child: Child) -> dict[str, object]:
    return {
        "name": child.plan.name,
        "role": child.plan.role,
        "queue": child.plan.queue,
        "slots": child.plan.slots,
        "pid": child.pid,
        "state": child.state.value,
        "answering": child.is_answering,
        "uptime_seconds": round(child.uptime, 1),
        "restarts": child.restarts,
        "crash_looping": child.is_crash_looping,
        "last_exit": child.last_exit.reason if child.last_exit is not None else None,
    }
