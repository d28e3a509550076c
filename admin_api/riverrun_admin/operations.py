"""What each operation of the API takes and answers: the tables that its description is made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from riverrun.job import JobState
from riverrun.store.listing import ORDERS
from riverrun_admin import answers, models
from riverrun_admin.models import Body
from riverrun_admin.stream import NDJSON

Schema: TypeAlias = dict[str, Any]

CALLBACK = "/admin/queue/callback/{job_id}"

BODIES: Mapping[tuple[str, str], type[Body]] = {
    ("POST", "/admin/queue/enqueue"): models.EnqueueBody,
    ("POST", "/admin/queue/enqueue_many"): models.EnqueueManyBody,
    ("POST", "/admin/queue/cancel"): models.JobIdsBody,
    ("POST", "/admin/queue/retry"): models.JobIdsBody,
    ("POST", "/admin/queue/delete"): models.JobIdsBody,
    ("POST", "/admin/queue/run"): models.JobIdsBody,
    ("POST", "/admin/queue/snooze"): models.SnoozeBody,
    ("POST", "/admin/queue/reprioritize"): models.ReprioritizeBody,
    ("POST", "/admin/queue/move"): models.MoveBody,
    ("POST", "/admin/queue/update"): models.JobChangeBody,
    ("POST", "/admin/queue/bulk"): models.BulkBody,
    ("POST", "/admin/queue/bulk/abort"): models.BulkIdBody,
    ("POST", "/admin/queue/clear"): models.OneQueueBody,
    ("POST", "/admin/queue/drain"): models.OneQueueBody,
    ("POST", "/admin/queue/pause"): models.PauseBody,
    ("POST", "/admin/queue/resume"): models.QueueBody,
    ("POST", "/admin/queue/scale"): models.ScaleBody,
    ("PUT", "/admin/queue/metadata"): models.QueueMetadataBody,
    ("POST", "/admin/handler/register"): models.HandlerBody,
    ("PUT", "/admin/handler/update"): models.HandlerChangeBody,
    ("POST", "/admin/handler/pause"): models.HandlerNameBody,
    ("POST", "/admin/handler/resume"): models.HandlerNameBody,
    ("POST", "/admin/handler/rotate_secret"): models.SecretBody,
    ("POST", "/admin/handler/test"): models.TrialBody,
    ("POST", "/admin/schedule/create"): models.ScheduleBody,
    ("PUT", "/admin/schedule/update"): models.ScheduleBody,
    ("POST", "/admin/schedule/pause"): models.ScheduleNameBody,
    ("POST", "/admin/schedule/resume"): models.ScheduleNameBody,
    ("POST", "/admin/schedule/run"): models.ScheduleNameBody,
    ("POST", CALLBACK): models.CallbackBody,
    ("POST", "/admin/token/create"): models.TokenBody,
    ("POST", "/admin/token/revoke"): models.TokenIdBody,
}
"""What validates the body of each route that has one."""

_WORD: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer", "minimum": 1}
_TIME: Schema = {"type": "string", "format": "date-time"}
_FLAG: Schema = {"type": "string", "enum": ["true", "false"]}
_PAGE: Mapping[str, Schema] = {"limit": {"type": "integer", "minimum": 1, "maximum": 200}, "cursor": _WORD}
_JOBS: Mapping[str, Schema] = {
    "filter": {"type": "string", "maxLength": 2000},
    "state": {"type": "array", "items": {"type": "string", "enum": [str(state) for state in JobState]}},
    "queue": {"type": "array", "items": _WORD},
    "kind": {"type": "array", "items": _WORD},
    "tag": {"type": "array", "items": _WORD},
    "tags_all": {"type": "array", "items": _WORD},
    "metadata": {"type": "string", "contentMediaType": "application/json"},
    "priority": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 9}},
    "id": {"type": "array", "items": _WHOLE},
    "created_after": _TIME,
    "created_before": _TIME,
    "order": {"type": "string", "enum": list(ORDERS)},
}
QUERIES: Mapping[str, Mapping[str, Schema]] = {
    "/admin/queue/jobs": {**_JOBS, **_PAGE},
    "/admin/queue/jobs.csv": _JOBS,
    "/admin/queue/jobs.ndjson": _JOBS,
    "/admin/queue/jobs/{job_id}/log": {"attempt": _WHOLE},
    "/admin/queue/events": {"topics": _WORD},
    "/admin/queue/metadata": {"queue": _WORD},
    "/admin/queue/bulk": _PAGE,
    "/admin/handler/list": {"task_type": {"type": "array", "items": _WORD}},
    "/admin/handler/register": {"upsert": _FLAG},
    "/admin/handler/delete": {"task_type": _WORD, "force": _FLAG},
    "/admin/schedule/history": {"name": _WORD, "limit": _PAGE["limit"]},
    "/admin/schedule/delete": {"name": _WORD},
    "/admin/token/list": {"sessions": _FLAG},
    "/admin/audit/list": {"actor": _WORD, "action": _WORD, "target": _WORD, **_PAGE},
}
"""What the query of each path may say, besides ``lenient``."""

LENIENT: Schema = {**_FLAG, "default": "false"}
"""Whether names that are not known are ignored; of each operation that takes a body or a query."""

_IF_MATCH: Mapping[str, Schema] = {
    "If-Match": {"type": "string", "description": "an ETag as an earlier answer gave it"}
}
HEADERS: Mapping[tuple[str, str], Mapping[str, Schema]] = {
    ("POST", "/admin/handler/register"): _IF_MATCH,
    ("PUT", "/admin/handler/update"): _IF_MATCH,
    ("DELETE", "/admin/handler/delete"): _IF_MATCH,
    ("POST", "/admin/handler/rotate_secret"): _IF_MATCH,
    ("POST", "/admin/handler/pause"): _IF_MATCH,
    ("POST", "/admin/handler/resume"): _IF_MATCH,
    ("PUT", "/admin/schedule/update"): _IF_MATCH,
    ("DELETE", "/admin/schedule/delete"): _IF_MATCH,
    ("POST", CALLBACK): {"Job-Callback-Token": _WORD},
}
"""Which header fields an operation minds, besides those of all."""

NEEDED = frozenset({"Job-Callback-Token"})
"""Header fields without which nothing is done."""

_ACTED: Mapping[str, Any] = {"200": answers.Acted | answers.Results}
_BULK = answers.Bulk
_HANDLER = answers.Handler
_SCHEDULE = answers.Schedule

ANSWERS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("POST", "/admin/queue/enqueue"): {"200": answers.Enqueued, "201": answers.Enqueued},
    ("POST", "/admin/queue/enqueue_many"): {"201": answers.EnqueuedMany | answers.EnqueuedStream},
    ("POST", "/admin/queue/cancel"): {**_ACTED, "202": answers.Acted},
    ("POST", "/admin/queue/retry"): _ACTED,
    ("POST", "/admin/queue/delete"): _ACTED,
    ("POST", "/admin/queue/run"): _ACTED,
    ("POST", "/admin/queue/snooze"): _ACTED,
    ("POST", "/admin/queue/reprioritize"): _ACTED,
    ("POST", "/admin/queue/move"): _ACTED,
    ("POST", "/admin/queue/update"): {"200": answers.JobDocument},
    ("GET", "/admin/queue/jobs"): {"200": answers.Jobs},
    ("GET", "/admin/queue/jobs/{job_id}"): {"200": answers.JobDocument},
    ("GET", "/admin/queue/terms"): {"200": answers.Terms},
    ("GET", "/admin/queue/bulk"): {"200": answers.Page[_BULK]},
    ("GET", "/admin/queue/bulk/{bulk_id}"): {"200": _BULK},
    ("POST", "/admin/queue/bulk"): {"200": answers.BulkTrial, "202": _BULK},
    ("POST", "/admin/queue/bulk/abort"): {"200": _BULK},
    ("POST", "/admin/queue/clear"): {"202": _BULK},
    ("POST", "/admin/queue/drain"): {"200": answers.Drained},
    ("POST", "/admin/queue/pause"): {"200": answers.PausedQueues},
    ("POST", "/admin/queue/resume"): {"200": answers.PausedQueues},
    ("POST", "/admin/queue/scale"): {"200": answers.Scaled},
    ("GET", "/admin/queue/metadata"): {"200": answers.DescribedQueue},
    ("PUT", "/admin/queue/metadata"): {"200": answers.DescribedQueue},
    ("POST", CALLBACK): {"200": answers.Acted},
    ("GET", "/admin/queue/stats"): {"200": answers.AgedStatistics},
    ("GET", "/admin/queue/dashboard"): {"200": answers.AgedStatistics},
    ("GET", "/admin/queue/list"): {"200": answers.Page[answers.Queue]},
    ("GET", "/admin/handler/list"): {"200": answers.Page[_HANDLER]},
    ("POST", "/admin/handler/register"): {"200": answers.SecretHandler, "201": answers.SecretHandler},
    ("PUT", "/admin/handler/update"): {"200": _HANDLER},
    ("DELETE", "/admin/handler/delete"): {"204": None},
    ("POST", "/admin/handler/rotate_secret"): {"200": answers.SecretHandler},
    ("POST", "/admin/handler/pause"): {"200": _HANDLER},
    ("POST", "/admin/handler/resume"): {"200": _HANDLER},
    ("POST", "/admin/handler/test"): {"200": answers.JobDocument, "202": answers.JobDocument},
    ("GET", "/admin/schedule/list"): {"200": answers.Page[_SCHEDULE]},
    ("GET", "/admin/schedule/history"): {"200": answers.Page[answers.Tick]},
    ("POST", "/admin/schedule/create"): {"201": _SCHEDULE},
    ("PUT", "/admin/schedule/update"): {"200": _SCHEDULE},
    ("DELETE", "/admin/schedule/delete"): {"204": None},
    ("POST", "/admin/schedule/pause"): {"200": _SCHEDULE},
    ("POST", "/admin/schedule/resume"): {"200": _SCHEDULE},
    ("POST", "/admin/schedule/run"): {"201": answers.ScheduleRun},
    ("GET", "/admin/server/list"): {"200": answers.Page[answers.Server]},
    ("GET", "/admin/error/list"): {"200": answers.Failures},
    ("GET", "/admin/token/list"): {"200": answers.Page[answers.Token]},
    ("POST", "/admin/token/create"): {"201": answers.NewToken},
    ("POST", "/admin/token/revoke"): {"200": answers.Token},
    ("GET", "/admin/audit/list"): {"200": answers.Page[answers.Entry]},
    ("GET", "/admin/audit/verify"): {"200": answers.Verdict},
    ("GET", "/admin/openapi.json"): {"200": answers.Object},
    ("GET", "/healthz"): {"200": answers.Health},
    ("GET", "/readyz"): {"200": answers.Health},
}
"""What each operation answers with, by status; None: nothing."""

MEDIA: Mapping[tuple[str, str], str] = {
    ("GET", "/metrics"): "text/plain",
    ("GET", "/admin/reference"): "text/html",
    ("GET", "/admin/queue/events"): "text/event-stream",
    ("GET", "/admin/queue/jobs.csv"): "text/csv",
    ("GET", "/admin/queue/jobs.ndjson"): NDJSON,
    ("GET", "/admin/queue/jobs/{job_id}/log"): "text/plain",
    ("GET", "/admin/audit/export"): NDJSON,
}
"""What is no JSON document."""
