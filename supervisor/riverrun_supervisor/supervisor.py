"""Runs the processes of one host: starts them in order, keeps them running, and stops them in order.

    claim the host's place → database → lease → scheduler, executors, admin → READY
    SIGTERM, SIGINT    executors drain while their lease is renewed → scheduler, admin → lease → database
    a second one       nobody waits for running jobs any longer
    SIGHUP             read the configuration again; one that is not valid changes nothing

It opens two connections to the database at most and decides nothing about a job, except that the jobs of an executor
it has seen die run again.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import timedelta

from riverrun.errors import ConfigError
from riverrun.messages import MetricsRequest
from riverrun.process import EXIT_CLEAN, EXIT_CONFIG
from riverrun.settings.schema import Settings
from riverrun.tasks import end, unless
from riverrun.telemetry import metrics
from riverrun_supervisor import status
from riverrun_supervisor.child import Child, Reports
from riverrun_supervisor.configuration import Configuration, Request
from riverrun_supervisor.control import ControlSocket
from riverrun_supervisor.crew import Crew
from riverrun_supervisor.executors import Executors
from riverrun_supervisor.exits import Exit
from riverrun_supervisor.farewell import Grace
from riverrun_supervisor.gauges import HostMetrics
from riverrun_supervisor.greeting import greet
from riverrun_supervisor.lease import Lease
from riverrun_supervisor.plan import MODULES, ChildPlan
from riverrun_supervisor.sources import Sources
from riverrun_supervisor.start import Start
from riverrun_supervisor.storage import until_usable
from riverrun_supervisor.systemd import Systemd
from riverrun_supervisor.wakeups import pass_on

log = logging.getLogger(__name__)

WATCH_SECONDS = 2.0
MORE_TIME = timedelta(seconds=15)
READ_ITS_LINES = "correct what the line configuration_refused of this process names, then start again"


class Supervisor:
    """The daemon of one host.

    Args:
        request: What the command line asked for.
        modules: What ``python -m`` is given for each role; another table lets other programs play the roles.

    Raises:
        ConfigError: The configuration cannot be used; nothing was started.
    """

    def __init__(self, request: Request, *, modules: Mapping[str, str] = MODULES) -> None:
        self._configuration = Configuration(request)
        self._modules = modules
        self._systemd = Systemd(request.environ)
        self._metrics = HostMetrics()
        self._sources = Sources()
        self._leaving = asyncio.Event()
        self._start = Start()
        self._crew: Crew | None = None
        self._exit_code = EXIT_CLEAN

    @property
    def settings(self) -> Settings:
        """The configuration in use."""
        return self._configuration.settings

    async def run(self) -> int:
        """Run until a signal or a command says stop, and return the exit code.

        Raises:
            Conflict: A daemon with this server id runs already.
            ConfigError: The embedded database or the folder of the socket cannot be used.
            SchemaError: The tables are not the ones of this release; says which command makes them so.
        """
        if not self._configuration.plans:
            river = self.settings.river
            fields = {"river.enable": river.enable, "river.insert_only": river.insert_only}
            log.info("nothing_to_run", extra={**fields, "roles": ", ".join(self._configuration.request.roles)})
            return EXIT_CLEAN
        self._hear_signals()
        commands = {"status": self.status, "stop": self._stop, "reload": self.reload, "drain": self._drain_executors}
        control = ControlSocket(self.settings.server_id, commands)
        killed = control.claim()
        try:
            await control.open()
            await self._run_on_database(killed)
        finally:
            await control.close()
        return self._exit_code

    def stop(self) -> None:
        """Begin to stop; if that has begun, hurry."""
        if not self._leaving.is_set():
            self._leave()
        elif self._crew is not None:
            log.warning("hurrying")
            self._crew.hurry()

    def reload(self) -> dict[str, object]:
        """Read the configuration again and follow it; what is not valid is logged and changes nothing."""
        if self._start.is_over:
            self._systemd.reloading()
        try:
            self._configuration.reread()
        except ConfigError as error:
            for problem in error.problems:
                log.error("configuration_refused", extra={"problem": problem})
            return {"error": "the old configuration stays in use: " + "; ".join(error.problems)}
        finally:
            if self._start.is_over:
                self._systemd.ready()
        self._follow(self._configuration.plans)
        log.info("configuration_reloaded")
        return {"reloaded": True}

    def status(self) -> dict[str, object]:
        """Return how the processes of this host are, as ``queuectl status`` shows it."""
        return status.report(
            self.settings.server_id, self._children(), start=self._start.progress, leaving=self._leaving.is_set()
        )

    async def _run_on_database(self, killed: int | None) -> None:
        """Have the database while everything else runs."""
        try:
            if self._configuration.embedded is not None:
                await self._configuration.embedded.start()
            else:
                await unless(self._leaving, until_usable(self.settings))
            if not self._leaving.is_set():
                await self._run_with_lease(killed)
        finally:
            if self._configuration.embedded is not None:
                await self._configuration.embedded.stop()

    async def _run_with_lease(self, killed: int | None) -> None:
        """Have the lease while the children run."""
        executors = Executors(self._configuration)
        lease = executors.lease
        await unless(self._leaving, lease.take_over(killed))
        if self._leaving.is_set():
            return
        async with asyncio.TaskGroup() as group:
            crew = self._crew = self._hire(group, executors)
            services = [group.create_task(run, name=name) for name, run in self._services(lease, crew).items()]
            crew.follow(self._configuration.plans, Grace.of(self.settings.river))
            await self._leaving.wait()
            await crew.leave("executor")
            await crew.leave("scheduler", "admin")
            await end(services)
        await lease.close()

    def _hire(self, group: asyncio.TaskGroup, executors: Executors) -> Crew:
        """Return the crew, which has no children yet."""
        reports = Reports(
            metrics=self._metrics.add,
            asked=self._answer,
            loaded=lambda message: self._sources.learn(message.files),
            ready=self._check_ready,
            ended=lambda child, exited: self._child_ended(child, exited, executors),
        )
        crew = Crew(group, launch=self._configuration.launch(self._modules), reports=reports)
        executors.join(crew)
        return crew

    def _services(self, lease: Lease, crew: Crew) -> dict[str, Coroutine[None, None, None]]:
        """Return by name what this process does itself while there are children."""
        services = {"lease": lease.run(), "watch": self._watch()}
        if not self.settings.river.poll_only:
            services["listen"] = pass_on(self.settings.dsn(), self.settings.postgresql.schema_name, crew.tell)
        if self._configuration.embedded is not None:
            services["embedded database"] = self._configuration.embedded.keep()
        if self._configuration.request.dev:
            services["sources"] = self._sources.watch(self._renew_executors)
        return services

    async def _watch(self) -> None:
        """Tell systemd how we are, often enough for its watchdog."""
        interval = min(timedelta(seconds=WATCH_SECONDS), self._systemd.watchdog_interval or MORE_TIME)
        while True:
            self._check_ready()
            for child in self._children():
                child.look()
            self._systemd.status(status.line(self._children(), leaving=self._leaving.is_set()))
            if status.is_sound(self._children()):
                self._systemd.alive()
            if self._leaving.is_set():
                self._systemd.extend_timeout(MORE_TIME)
            await asyncio.sleep(interval.total_seconds())

    def _check_ready(self) -> None:
        """Report READY when every child works or has shown that it will not, and greet when all of them work."""
        if self._leaving.is_set() or not self._start.look(self._children()):
            return
        self._systemd.ready()
        if self._start.is_complete:
            greet(self.settings, self._configuration.plans, dev=self._configuration.request.dev)

    def _child_ended(self, child: Child, exited: Exit, executors: Executors) -> None:
        self._metrics.forget(child)
        if not child.is_leaving:
            metrics.process_restarts.labels(role=child.plan.role, name=child.plan.name).inc()
        executors.ended(child, exited)
        if exited.code == EXIT_CONFIG and not child.was_ready and not self._start.is_over:
            log.error("start_given_up", extra={"child": child.plan.name, "reason": exited.reason, "do": READ_ITS_LINES})
            self._exit_code = EXIT_CONFIG
            self._leave()

    def _leave(self) -> None:
        log.info("stopping")
        self._systemd.stopping()
        self._leaving.set()

    def _drain_executors(self) -> dict[str, object]:
        """Let the executors leave and the rest stay, until the next reload."""
        self._follow(plan for plan in self._configuration.plans if plan.role != "executor")
        log.info("executors_draining")
        return {"draining": True}

    def _renew_executors(self, edited: Sequence[str]) -> None:
        """Let the next jobs run the code that somebody has just written."""
        if self._crew is not None and not self._leaving.is_set():
            log.info("handlers_edited", extra={"files": ", ".join(edited)})
            self._crew.renew("executor")

    def _stop(self) -> dict[str, object]:
        self.stop()
        return {"stopping": True}

    def _follow(self, plans: Iterable[ChildPlan]) -> None:
        if self._crew is not None and not self._leaving.is_set():
            self._crew.follow(plans, Grace.of(self.settings.river))

    def _answer(self, child: Child, request: MetricsRequest) -> None:
        self._metrics.answer(child, request, children=self._children())

    def _children(self) -> tuple[Child, ...]:
        return tuple(self._crew.children) if self._crew is not None else ()

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
