"""A job as a command or a few lines of code that enqueue such a job again."""

from __future__ import annotations

import json
import shlex

from riverrun.job import Job


def copies(job: Job) -> dict[str, str]:
    """Return the job for curl, Python, Go and ``queuectl``, by the name of the tool."""
    return {"curl": _curl(job), "queuectl": _queuectl(job), "Python": _python(job), "Go": _go(job)}


def _curl(job: Job) -> str:
    body = json.dumps(
        {"task_type": job.kind, "task_params": job.args_text, "queue": job.queue, "priority": job.priority},
        ensure_ascii=False,
    )
    return (
        "curl -X POST http://localhost:9999/admin/queue/enqueue \\\n"
        f"  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(body)}"
    )


def _queuectl(job: Job) -> str:
    options = f"--queue {shlex.quote(job.queue)} --priority {job.priority}"
    return f"queuectl job enqueue {shlex.quote(job.kind)} {shlex.quote(job.args_text)} {options}"


def _python(job: Job) -> str:
    return (
        "import json\n\nfrom riverrun import Client\n\nwith Client() as client:\n"
        f"    client.enqueue({job.kind!r}, json.loads({job.args_text!r}), queue={job.queue!r}, priority={job.priority})"
    )


def _go(job: Job) -> str:
    kind, args = (_go_string(text) for text in (job.kind, job.args_text))
    return (
        "type args struct{ json.RawMessage }\n\n"
        f"func (args) Kind() string {{ return {kind} }}\n\n"
        f"_, err := client.Insert(ctx, args{{json.RawMessage({args})}},\n"
        f"\t&river.InsertOpts{{Queue: {_go_string(job.queue)}, Priority: {job.priority}}})"
    )


def _go_string(text: str) -> str:
    return f"`{text}`" if "`" not in text and "\r" not in text else json.dumps(text)
