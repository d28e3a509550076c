"""Run: one task for each claimed job, from the handler's first line to the outcome."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from functools import partial
from typing import Literal

from riverrun.claimed_job import ClaimedJob
from riverrun.context import Context
from riverrun.database.statements import Statements
from riverrun.durations import LONGEST
from riverrun.extensions import Extensions
from riverrun.job_log import job_fields
from riverrun.messages import Running
from riverrun.new_job import TIMEOUT_KEY
from riverrun.outcome import Cancelled, Completed, Failed, Interrupted, Outcome, Snoozed
from riverrun.waiting import first_of
from riverrun_executor.deadlines import Deadlines
from riverrun_executor.ending import Ending
from riverrun_executor.handlers.choose import Handlers, Transport
from riverrun_executor.outliving import Outliving
from riverrun_executor.slots import Slots

log = logging.getLogger(__name__)

CANCELLED_REMOTELY = "job cancelled remotely"
"""River's own words for a job that was cancelled while it ran."""

IGNORED_SECONDS = 15.0
"""How long a handler may ignore that it was told to stop; plain functions are given up earlier, in their thread."""

UNKNOWN_AGAIN = timedelta(minutes=1)
"""When a job without attempts left, and without a handler, is tried again."""

MOST_NAMED = 20
"""Jobs that are named to the supervisor; enough to know where to look."""

Reason = Literal["cancel", "shutdown", "timeout", "lease", "ended"]


class RunningJob:
    """A job between its claim and its outcome."""

    __slots__ = ("context", "handler", "job", "limit", "outcome", "reason", "started", "task", "timer")

    def __init__(self, job: ClaimedJob, context: Context, handler: Transport | None) -> None:
        self.job = job
        self.handler = handler
        self.context = context
        self.limit = context.limit_seconds
        self.started = time.monotonic()
        self.reason: Reason | None = None
        self.outcome: Outcome | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None]

    @property
    def deadline(self) -> float | None:
        """When its time is over, by the monotonic clock."""
        lifted = self.context.limit_seconds is None
        return None if self.limit is None or lifted else self.started + self.limit

    def stop(self, reason: Reason) -> None:
        """Ask the handler to end; the first reason counts."""
        if self.reason is None:
            self.reason = reason
            self.context.stopped_by = "shutdown" if reason == "lease" else reason
            self.context.cancel()
            self.task.cancel()


class Runner:
    """Runs claimed jobs and hands each ending to ``ended``.

    Args:
        handlers: Finds the handler of a kind.
        slots: Room for jobs; a slot is free again the moment a handler returns.
        statements: SQL of the schema, for handlers that complete their jobs themselves.
        incarnation: This executor, as it stands in ``attempted_by``.
        server_id: This host, for log lines.
        default_timeout: Time limit of a job that neither says one itself nor has a handler that does.
        may_start: Whether a job that was claimed is still ours; asked before each is run.
        outliving: Told of handlers that go on after their attempts were ended.
        started: Told what runs whenever jobs were started, before any line of their handlers.
        room_came_free: Called when a job has ended of a kind of which only so many may run at once.
        extensions: What users have put around their handlers; ``None`` when nothing.
        ended: Takes the ending of an attempt; called without waiting.
    """

    def __init__(  # noqa: PLR0913 - the parts it joins
        self,
        *,
        handlers: Handlers,
        slots: Slots,
        statements: Statements,
        incarnation: str,
        server_id: str,
        default_timeout: timedelta | None,
        may_start: Callable[[], bool],
        outliving: Outliving,
        started: Callable[[Running], None],
        room_came_free: Callable[[], None],
        extensions: Extensions | None,
        ended: Callable[[Ending], None],
    ) -> None:
        self._handlers = handlers
        self._slots = slots
        self._statements = statements
        self._incarnation = incarnation
        self._server_id = server_id
        self._default_timeout = default_timeout
        self._may_start = may_start
        self._outliving = outliving
        self._started = started
        self._room_came_free = room_came_free
        self._extensions = extensions
        self._changed = False
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines[RunningJob](self._time_is_over)
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.running: dict[int, RunningJob] = {}

    def start(self, job: ClaimedJob) -> None:
        """Run ``job``, or give it back at once when the executor is stopping or may have lost it."""
        if self._draining or not self._may_start():
            self._ended(Ending(job, Interrupted(), None, 0.0))
            return
        if older := self.running.get(job.id):
            older.stop("lease")  # it was taken from an attempt that runs here still
            self._end(older, Interrupted())
        self._slots.take()
        self._idle.clear()
        context = Context(job, server_id=self._server_id, incarnation=self._incarnation, statements=self._statements)
        handler = self._handlers.find(job.kind)
        context.limit_seconds = None if handler is None else self._limit(job, handler.timeout)
        running = RunningJob(job, context, handler)
        self.running[job.id] = running
        if not self._changed:
            self._changed = True
            self._loop.call_soon(self._tell)  # before the first line of any handler
        running.task = self._loop.create_task(self._run(running), name=f"job {job.id}")

    def report(self) -> Running:
        """Return which jobs run and when the first of them runs out of time."""
        deadlines = [running.deadline for running in self.running.values() if running.deadline is not None]
        jobs = list(itertools.islice(self.running, MOST_NAMED))
        return Running(jobs, len(self.running), min(deadlines, default=None))

    def rooms(self) -> Mapping[str, int]:
        """Return how many more jobs may be started of each kind of which only so many may run at once."""
        limits = self._handlers.limits
        if not limits:
            return limits
        running = Counter(running.job.kind for running in self.running.values())
        return {kind: max(0, most - running[kind]) for kind, most in limits.items()}

    def _tell(self) -> None:
        self._changed = False
        self._started(self.report())

    def cancel(self, job_id: int) -> None:
        """Stop a running job whose cancellation was asked for."""
        if running := self.running.get(job_id):
            log.info("job_cancel_requested", extra=job_fields(running.job, self._server_id))
            self._stop(running, "cancel")

    def interrupt(self) -> None:
        """Stop every job: they may be running elsewhere by now."""
        for running in list(self.running.values()):
            self._stop(running, "lease")

    def revoke(self, job: ClaimedJob) -> None:
        """Stop the attempt of a job that is not ours any more."""
        if (running := self.running.get(job.id)) is not None and running.job is job:
            log.warning("attempt_revoked", extra=job_fields(job, self._server_id))
            self._stop(running, "lease")

    def drop(self, job: ClaimedJob, outcome: Outcome) -> Ending | None:
        """Forget a job whose end somebody else has written; return its ending, of which hooks hear too, if it ran here.

        Args:
            job: The job.
            outcome: How it has ended.
        """
        running = self.running.get(job.id)
        if running is None or running.job is not job:
            return None
        running.outcome = outcome
        running.stop("ended")
        self._leave(running)
        return Ending(job, outcome, None, time.monotonic() - running.started)

    def take_notes(self, *, again: Collection[int]) -> list[tuple[ClaimedJob, str]]:
        """Return what running handlers noted since the last call, as JSON objects for the metadata of their jobs.

        Args:
            again: The jobs of which all is to be returned that was ever noted.
        """
        noted = (
            (running.job, running.context.take_notes(again=job_id in again)) for job_id, running in self.running.items()
        )
        return [(job, notes) for job, notes in noted if notes is not None]

    async def drain(self, *, wait: timedelta, cancel: timedelta, hurry: asyncio.Event) -> None:
        """Let running jobs finish, then stop them, then give up those that do not stop.

        Args:
            wait: How long they may run on undisturbed; ends early when ``hurry`` is set.
            cancel: How long they may clean up after they were asked to stop.
            hurry: Set by a second signal.
        """
        self._draining = True
        await first_of(self._idle, hurry, within=wait.total_seconds())
        for running in list(self.running.values()):
            running.stop("shutdown")
        await first_of(self._idle, within=cancel.total_seconds())
        for running in list(self.running.values()):
            log.warning("job_abandoned", extra=job_fields(running.job, self._server_id))
            self._outliving.outlived()
            self._end(running, Interrupted())

    async def _run(self, running: RunningJob) -> None:
        outcome: Outcome
        try:
            outcome = await self._attempt(running)
        except asyncio.CancelledError:
            outcome = self._stopped(running)
        except Exception as error:
            log.exception("attempt_broke", extra=job_fields(running.job, self._server_id))
            outcome = Failed(error=f"{type(error).__name__}: {error}", error_type="internal")
        if self._extensions is not None:
            outcome = await self._extensions.end(running.context, outcome)
        self._end(running, outcome)

    async def _attempt(self, running: RunningJob) -> Outcome:
        """Run the handler; when its time is over it is stopped like one that is cancelled."""
        job, handler = running.job, running.handler
        if handler is None:
            return self._unknown(job)
        if running.limit is not None:
            self._deadlines.watch(running, running.limit)
        if self._extensions is not None:
            return await self._extensions.run(running.context, partial(handler.run, job, running.context))
        return await handler.run(job, running.context)

    def _time_is_over(self, running: RunningJob) -> None:
        if running.context.limit_seconds is not None:  # a handler that waits for its service lifts the limit
            self._stop(running, "timeout")

    def _unknown(self, job: ClaimedJob) -> Outcome:
        """Let a job whose kind nobody here handles try again later; it is never given up for that."""
        if job.attempt >= job.max_attempts:
            log.warning("kind_unknown", extra=job_fields(job, self._server_id))
            return Snoozed(UNKNOWN_AGAIN)
        error = f"no handler is registered for kind {job.kind!r} on {self._server_id}"
        return Failed(error, error_type="unknown_kind")

    def _stop(self, running: RunningJob, reason: Reason) -> None:
        """Tell a handler to end, and end its attempt without it when it does not."""
        running.stop(reason)
        if running.timer is not None:
            running.timer.cancel()
        running.timer = self._loop.call_later(IGNORED_SECONDS, self._abandon, running)

    def _abandon(self, running: RunningJob) -> None:
        """End an attempt whose handler ignores that it is over; it keeps its slot for as long as it goes on."""
        log.error("handler_ignores_its_end", extra=job_fields(running.job, self._server_id))
        self._outliving.outlived()
        running.task.add_done_callback(lambda _: self._outliving.returned())
        self._end(running, self._stopped(running))

    def _stopped(self, running: RunningJob) -> Outcome:
        """Return the outcome of an attempt that ended because it was told to."""
        if running.outcome is not None:
            return running.outcome
        match running.reason:
            case "cancel":
                return Cancelled(CANCELLED_REMOTELY)
            case "timeout":
                limit = running.limit
                return Failed(error=f"the handler did not finish within {limit:g} s", error_type="timeout")
            case "shutdown" | "lease" | "ended":
                return Interrupted()
            case None:
                return Failed(error="CancelledError: the handler cancelled itself", error_type="exception")

    def _limit(self, job: ClaimedJob, handler_timeout: timedelta | None) -> float | None:
        """Return the time limit of an attempt in seconds: the job's own, the handler's, or the configured one."""
        if TIMEOUT_KEY in job.metadata_text:
            own = job.metadata.get(TIMEOUT_KEY)
            if isinstance(own, int | float) and own > 0:
                return min(own, LONGEST.total_seconds())
        limit = handler_timeout or self._default_timeout
        return None if limit is None else limit.total_seconds()

    def _end(self, running: RunningJob, outcome: Outcome) -> None:
        """Free the slot and pass the ending on, once."""
        if self.running.get(running.job.id) is not running:
            return
        self._leave(running)
        seconds = time.monotonic() - running.started
        notes = running.context.all_notes(completed=type(outcome) is Completed)
        self._ended(Ending(running.job, outcome, notes, seconds))

    def _leave(self, running: RunningJob) -> None:
        del self.running[running.job.id]
        if running.limit is not None:
            self._deadlines.forget(running, running.limit)
        if running.timer is not None:
            running.timer.cancel()
        self._slots.give_back()
        if self._handlers.limits and running.job.kind in self._handlers.limits:
            self._room_came_free()
        if not self.running:
            self._idle.set()
