"""One process of this host: started, watched, restarted when it dies, and seen out.

STARTING ──ready──▶ RUNNING ──dies──▶ WAITING ──backoff──▶ STARTING
    └────────drain────┴──▶ DRAINING ──ends──▶ STOPPED (or STARTING, when it is replaced)
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import logging
import time
from collections.abc import Callable
from datetime import timedelta

from riverrun.messages import Alive, Loaded, Message, Metrics, MetricsRequest, Ready, Running
from riverrun.pipe import ParentPipe
from riverrun.process import EXIT_CRASH, new_incarnation
from riverrun.waiting import happened
from riverrun_supervisor.exits import Exit, MemoryWitness
from riverrun_supervisor.farewell import Farewell, Grace
from riverrun_supervisor.last_words import LastWords
from riverrun_supervisor.launch import Launch
from riverrun_supervisor.plan import ChildPlan
from riverrun_supervisor.restarts import CRASH_LOOP_EXITS, CRASH_LOOP_SECONDS, Restarts
from riverrun_supervisor.silence import SILENCE_SECONDS, Silence

log = logging.getLogger(__name__)

START_SECONDS = 60.0
LAST_WORDS_SECONDS = 1.0
CRASH_LOOP = {
    "meaning": f"it has ended {CRASH_LOOP_EXITS} times within {CRASH_LOOP_SECONDS:.0f} s and is started ever later",
    "do": "read its own last lines, and the reason in child_ended",
}


class State(enum.StrEnum):
    """Where a child is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    DRAINING = "draining"
    STOPPED = "stopped"


@dataclasses.dataclass(frozen=True)
class Reports:
    """Whom a child reports to; called on the event loop.

    Attributes:
        metrics: With the figures that the process sent.
        asked: For the figures of the whole host, with the request to be answered.
        loaded: With the files that an executor has read its handlers from.
        ready: When the process has started and works.
        ended: Each time the process has ended, before the next one starts.
    """

    metrics: Callable[[Child, Metrics], None]
    asked: Callable[[Child, MetricsRequest], None]
    loaded: Callable[[Loaded], None]
    ready: Callable[[], None]
    ended: Callable[[Child, Exit], None]


class Child:
    """Keeps one process of the plan running until it is told to leave; ``run`` is its life."""

    def __init__(self, plan: ChildPlan, *, launch: Launch, grace: Grace, reports: Reports) -> None:
        self.plan = plan
        self.launch = launch
        self.grace = grace
        self.state = State.STOPPED
        self.incarnation = ""
        self.last_exit: Exit | None = None
        self.was_ready = False
        self.was_told_to_leave = False
        self.silence = Silence(plan.role, plan.name)
        self.last_words = LastWords()
        self._reports = reports
        self._process: asyncio.subprocess.Process | None = None
        self._pipe: ParentPipe | None = None
        self._leaving = False
        self._changed = asyncio.Event()
        self._farewell: Farewell | None = None
        # Crashes are what an isolated process is for.
        self._restarts = Restarts(longest=timedelta(seconds=0.5 if plan.isolated else 30))
        self._started = self._heard = 0.0

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process is not None else None

    @property
    def uptime(self) -> float:
        """Seconds since the present process was started; 0 without one."""
        return time.monotonic() - self._started if self._process is not None else 0.0

    @property
    def is_answering(self) -> bool:
        """Whether the event loop of the process has been heard of lately, or may still be starting."""
        if self._process is None:
            return False
        heard_first = self._heard > self._started
        return time.monotonic() - self._heard < (SILENCE_SECONDS if heard_first else START_SECONDS)

    @property
    def is_crash_looping(self) -> bool:
        """Whether the process has ended so often lately that somebody must look."""
        return self._restarts.is_crash_loop

    @property
    def restarts(self) -> int:
        """How often it has ended although nobody had asked it to."""
        return self._restarts.count

    @property
    def is_leaving(self) -> bool:
        """Whether it was told to leave for good."""
        return self._leaving

    def send(self, message: Message) -> bool:
        """Tell the process something; return False if it cannot hear."""
        return self._pipe is not None and self._pipe.send(message)

    def look(self) -> None:
        """Kill the process when it does not answer and one of its jobs has overrun its time."""
        process = self._process
        if process is None or self._heard == self._started or process.returncode is not None:
            return
        if self.silence.look(process.pid, silent=time.monotonic() - self._heard):
            log.error("child_overran", extra={"child": self.plan.name, "pid": process.pid})
            process.kill()

    def drain(self) -> None:
        """Let the process leave and start no other."""
        self._leaving = True
        self._changed.set()
        self._see_out(hurry=False)

    def hurry(self) -> None:
        """Let the process leave at once and start no other."""
        self._leaving = True
        self._changed.set()
        self._see_out(hurry=True)

    def replace(self, plan: ChildPlan) -> None:
        """Let the process leave, then start one by ``plan``; also if it was to leave for good."""
        self.plan = plan
        self._leaving = False
        self._changed.set()
        self._see_out(hurry=False)

    async def run(self) -> None:
        """Start the process, and again whenever it has ended, until it shall leave."""
        while not self._leaving:
            self._changed.clear()
            exited = await self._live(self.plan)
            if not self._changed.is_set():
                await self._pause(exited)
        self.state = State.STOPPED

    async def _live(self, plan: ChildPlan) -> Exit:
        """Run one process from its start to its end."""
        self.state = State.STARTING
        self.incarnation = new_incarnation(self.launch.server_id)
        self.silence, self.last_words = Silence(plan.role, plan.name), LastWords()
        self.was_told_to_leave = False
        witness = MemoryWitness.begin()
        pipe = self._pipe = self._connected_pipe()
        try:
            self._started = self._heard = time.monotonic()
            self._process = process = await self.launch.spawn(plan, self.incarnation, pipe)
            self._farewell = Farewell(plan.name, process, tell=self._tell_when_heard)
            log.info("child_started", extra={"child": plan.name, "pid": process.pid})
            self.last_words.listen(process)
            await pipe.open()
            if self._changed.is_set():  # while it was being started
                self._see_out(hurry=False)
            code = await process.wait()
            await pipe.finish(LAST_WORDS_SECONDS)
            await self.last_words.finish(LAST_WORDS_SECONDS)
        except OSError as error:
            log.error("child_not_started", extra={"child": self.plan.name, "error": str(error)})
            code = EXIT_CRASH
        finally:
            pipe.child_end.close()
            await self._clear(pipe)
        self.last_exit = Exit(code, out_of_memory=witness.saw_a_kill())
        self._reports.ended(self, self.last_exit)
        return self.last_exit

    def _connected_pipe(self) -> ParentPipe:
        pipe = ParentPipe()
        pipe.on(Ready, lambda _: self._became_ready())
        pipe.on(Loaded, self._reports.loaded)
        pipe.on(Alive, lambda _: self._heard_of())
        pipe.on(Running, self._runs)
        pipe.on(Metrics, lambda message: self._reports.metrics(self, message))
        pipe.on(MetricsRequest, lambda message: self._reports.asked(self, message))
        return pipe

    def _became_ready(self) -> None:
        self._heard_of()
        self.was_ready = True
        if self.state is State.STARTING:
            self.state = State.RUNNING
        self._reports.ready()

    def _heard_of(self) -> None:
        self._heard = time.monotonic()
        self.silence.heard()

    def _runs(self, running: Running) -> None:
        self.silence.running = running

    async def _clear(self, pipe: ParentPipe) -> None:
        if self._farewell is not None:
            await self._farewell.end()
        process, self._process, self._pipe, self._farewell = self._process, None, None, None
        if process is not None and process.returncode is None:  # we are being cancelled
            process.kill()
        await pipe.close()

    def _see_out(self, *, hurry: bool) -> None:
        if self._farewell is not None:
            self.state = State.DRAINING
            self.was_told_to_leave = True
            self._farewell.begin(self.grace, hurry=hurry)

    def _tell_when_heard(self, message: Message) -> bool:
        """Use the pipe once the process reads it."""
        return self._heard > self._started and self.send(message)

    async def _pause(self, exited: Exit) -> None:
        """Report an end that nobody asked for, and wait before the next start."""
        self.state = State.WAITING
        lived = time.monotonic() - self._started
        seconds = self._restarts.after(exited, lived=lived)
        fields = {"child": self.plan.name, "reason": exited.reason, "seconds": round(lived, 1)}
        log.error("child_ended", extra={**fields, "retry_in": round(seconds, 1)})
        if self.is_crash_looping:
            log.error("child_crash_looping", extra={"child": self.plan.name, **CRASH_LOOP})
        await happened(self._changed, within=seconds)
