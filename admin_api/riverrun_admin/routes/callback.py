"""Take what a service says about a job after it has answered: it lives, how far it is, how the job ended.

The token names one attempt and was made for it. One that is forged or for another job is refused with 403; one whose
attempt is over, because it has ended, was taken away, or this was said before, with 409.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aiohttp import web

from riverrun.context import PROGRESS_KEY
from riverrun.database.statements import Steps
from riverrun.errors import Conflict
from riverrun.job import JobState
from riverrun.job_log import LOG_KEY, attempt_of, entries_of, with_newest
from riverrun.members import OUTPUT_KEY, object_of, own_members
from riverrun.names import check_job_id
from riverrun.outcome import Cancelled, Completed, Discarded, Failed, Outcome, Snoozed
from riverrun.retry import RIVER_BACKOFF
from riverrun.sanitize import clean_json, clean_text
from riverrun.store import callbacks, registry
from riverrun.telemetry.secrets import hide_secrets
from riverrun.transition import Finalization, decide, with_notes
from riverrun.webhook import Fence, is_genuine, token_fence
from riverrun_admin.body import read_object
from riverrun_admin.documents import respond
from riverrun_admin.filters import is_lenient, refuse_unknown
from riverrun_admin.models import CallbackBody
from riverrun_admin.problems import Problem
from riverrun_admin.rules import validated
from riverrun_admin.services import services
from riverrun_admin.transaction import transaction

TOKEN = "Job-Callback-Token"  # noqa: S105 - the name of a header field
SNOOZE_WITHOUT_TIME = timedelta(minutes=1)
MAX_LOG_CHARACTERS = 1024 * 1024
"""Of one attempt; River's own limit is 2 MiB."""

_random = random.Random()  # noqa: S311 - spreads retries, guards nothing


async def callback(request: web.Request) -> web.Response:
    """Write what a service says about the attempt that its token was made for."""
    refuse_unknown(request, frozenset({"lenient"}))
    job_id, token = check_job_id(request.match_info["job_id"], "job_id"), request.headers.get(TOKEN, "")
    database = services(request).database
    await database.run(_attempt(job_id, token))  # before its body is read: this door is open to everybody
    said = validated(CallbackBody, await read_object(request), lenient=is_lenient(request))
    async with transaction(request) as conn:
        state = await database.statements.run(conn, _written(said, job_id, token))
    return respond({"job_id": job_id, "state": str(state)})


def _attempt(job_id: int, token: str) -> Steps[callbacks.Attempt]:
    """Return the attempt that ``token`` was made for, which runs.

    Raises:
        Problem: 403, the token is for no attempt of this job, or was forged.
        Conflict: The attempt is over.
    """
    fence = token_fence(token)
    if fence is None or fence.id != job_id:
        raise _not_known()
    found = yield from callbacks.find(job_id)
    if found is None or found.key is None or not is_genuine(found.key, token):
        raise _not_known()
    if found.current != fence:
        raise _over(fence)
    return found


def _written(said: CallbackBody, job_id: int, token: str) -> Steps[JobState]:
    """Write what a service says, and return the state of its job. Raises as ``_attempt``."""
    found = yield from _attempt(job_id, token)
    outcome = _outcome(said)
    if outcome is None:
        state = JobState.RUNNING
        written = yield from callbacks.note(found.fence, found.incarnation, _patch(said, found))
    else:
        final = with_notes((yield from _decided(found, outcome)), _left(said, found))
        state = final.state
        written = yield from callbacks.end(found.fence, found.incarnation, final)
    if not written:
        raise _over(found.fence)
    return state


def _decided(found: callbacks.Attempt, outcome: Outcome) -> Steps[Finalization]:
    """Return what ``outcome`` changes, by the retries that the handler of the job is given."""
    known = yield from registry.handlers([found.kind])
    backoff = known[0].registration.settings.backoff if known else None
    policy = RIVER_BACKOFF if backoff is None else backoff.policy
    return decide(found, outcome, rng=_random, backoff=policy)


def _outcome(said: CallbackBody) -> Outcome | None:
    """Return how the job ended; None: it has not."""
    error = said.error.text if said.error else "the service said so"
    trace = said.error.trace if said.error else ""
    delay = None if said.delay_s is None else timedelta(seconds=said.delay_s)
    match said.outcome if said.t == "result" else said.t:
        case "complete":
            return Completed(None if said.output is None else clean_json(said.output))
        case "fail" | "retry":
            return Failed(error, trace, retry_in=delay, error_type="callback")
        case "discard":
            return Discarded(error, trace, error_type="callback")
        case "cancel":
            return Cancelled(error, trace, error_type="callback")
        case "snooze":
            return Snoozed(SNOOZE_WITHOUT_TIME if delay is None else delay)
        case _:
            return None


def _patch(said: CallbackBody, found: callbacks.Attempt) -> str | None:
    """Return what a sign of life changes in the metadata."""
    match said.t:
        case "progress":
            progress = {"fraction": said.pct / 100, "note": clean_text(said.note, 200)}
            return clean_json({PROGRESS_KEY: progress})
        case "output":
            return clean_json({OUTPUT_KEY: said.data})
        case "log":
            log = _logged([(said.level, said.msg)], found)
            return None if log is None else object_of({LOG_KEY: log})
        case _:
            return None


def _left(said: CallbackBody, found: callbacks.Attempt) -> str | None:
    """Return what an end leaves in the metadata beside its outcome."""
    members = own_members(said.metadata or {})
    lines = [("info", line) if isinstance(line, str) else (line.level, line.msg) for line in said.logs]
    if lines and (log := _logged(lines, found)) is not None:
        members[LOG_KEY] = log
    return object_of(members)


def _logged(lines: Sequence[tuple[str, str]], found: callbacks.Attempt) -> str | None:
    """Return the job's log with levels and messages added, as JSON text; None where something else stands."""
    earlier = entries_of(found.metadata, but_of=found.attempt)
    if earlier is None:
        return None
    mine = (entry for entry in found.metadata.get(LOG_KEY, []) if attempt_of(entry) == found.attempt)
    text = "".join(str(entry.get("log", "")) for entry in mine)
    for level, message in lines:
        line = hide_secrets(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {level.upper()} {message}\n")
        if len(text) + len(line) <= MAX_LOG_CHARACTERS:
            text += line
    return with_newest(earlier, found.attempt, text)


def _not_known() -> Problem:
    return Problem(403, "forbidden", f"{TOKEN}: the token that came with the request for this job is needed")


def _over(fence: Fence) -> Conflict:
    return Conflict(f"attempt {fence.attempt} of job {fence.id} is over, or was taken away; nothing was changed")


ROUTES = (web.post("/admin/queue/callback/{job_id}", callback),)
