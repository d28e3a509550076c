"""What a role is given to live with: its settings, its orders, and its way to the supervisor."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import os
from pathlib import Path

from riverrun.errors import ConfigError
from riverrun.messages import HostMetrics, Metrics, MetricsRequest, Ready, Sample
from riverrun.pipe import ChildPipe
from riverrun.settings.load import load
from riverrun.settings.river import share
from riverrun.settings.schema import Settings
from riverrun.telemetry.host_totals import Changes, own_samples

log = logging.getLogger(__name__)

SCRAPE_SECONDS = 1.0


@dataclasses.dataclass(kw_only=True)
class RoleContext:
    """One life of one process.

    Attributes:
        role: ``executor``, ``scheduler`` or ``admin``.
        settings: The configuration; replaced by ``reread``.
        config_path: The file that ``--config`` named, if any.
        queue: The queue to work on (executors).
        slots: How many jobs this process may run at once (executors); None: as the settings say.
        isolated: Whether it runs only jobs that crashed before, one at a time (executors).
        share: Which of how many executors of the queue on this host this is: (0, 3) is the first of three.
        incarnation: Name of this one life of this process; stands in ``attempted_by`` and in its lease.
        pipe: The way to the supervisor; register ``Wake`` and ``Control`` with ``pipe.on``.
        draining: Set when the process shall finish what it has and leave.
        hurrying: Set when it shall not wait for that any longer.
        reload: Set when the configuration shall be read again; the role clears it.
        progress: What the role has done so far; raise it for each finished piece of work.
    """

    role: str
    settings: Settings
    config_path: Path | None
    queue: str | None
    slots: int | None
    incarnation: str
    pipe: ChildPipe
    share: tuple[int, int] = (0, 1)
    isolated: bool = False
    draining: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    hurrying: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    reload: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    progress: int = 0
    _changes: Changes = dataclasses.field(default_factory=Changes)
    _scrapes: dict[int, asyncio.Future[list[Sample]]] = dataclasses.field(default_factory=dict)
    _scrape_ids: itertools.count[int] = dataclasses.field(default_factory=itertools.count)

    @property
    def server_id(self) -> str:
        """Name of this host in the fleet."""
        return self.settings.server_id

    def share_of(self, slots: int) -> int:
        """Return how many of a queue's ``slots`` on this host are this executor's."""
        return share(slots, *self.share)

    def ready(self) -> None:
        """Tell the supervisor that this process has started and works."""
        self.pipe.send(Ready())

    def stop(self) -> None:
        """Drain; if that was asked for already, hurry."""
        (self.hurrying if self.draining.is_set() else self.draining).set()

    def reread(self) -> bool:
        """Read the configuration again; keep the old one, log every problem and return False if it is not valid."""
        try:
            self.settings = load(self.config_path, environ=os.environ, flags={}).settings
        except ConfigError as error:
            for problem in error.problems:
                log.error("configuration_refused", extra={"problem": problem})
            return False
        return True

    def reread_if_asked(self) -> None:
        """Read the configuration again if that was asked for since the last time."""
        if self.reload.is_set():
            self.reload.clear()
            self.reread()

    async def host_metrics(self) -> list[Sample]:
        """Return the figures of all processes of this host, or this one's own if the supervisor is silent for 1 s."""
        request = next(self._scrape_ids)
        answer: asyncio.Future[list[Sample]] = asyncio.get_running_loop().create_future()
        self._scrapes[request] = answer
        try:
            self.flush_metrics()
            if not self.pipe.send(MetricsRequest(request)):
                return own_samples()
            async with asyncio.timeout(SCRAPE_SECONDS):
                return await answer
        except TimeoutError:
            return own_samples()
        finally:
            del self._scrapes[request]

    def flush_metrics(self) -> None:
        """Send what was measured since the last time, unless nothing was or the supervisor lags behind."""
        if not self.pipe.is_open or self.pipe.is_congested:
            return
        counters, gauges = self._changes.take()
        if counters or gauges is not None:
            self.pipe.send(Metrics(counters, gauges))

    def answered(self, message: HostMetrics) -> None:
        """Hand the supervisor's answer to the request that waits for it, if one still does."""
        waiting = self._scrapes.get(message.id)
        if waiting is not None and not waiting.done():
            waiting.set_result(message.samples)
