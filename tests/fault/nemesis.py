"""One fault after the other, drawn by a seed, against a fleet whose hosts each reach the database through a proxy."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from fault.fleet import Host
from fault.lab import Lab
from support.proxy import Proxy

log = logging.getLogger(__name__)

Fault = Callable[["Nemesis"], None]


@dataclass(frozen=True, slots=True)
class Injected:
    """One fault that was injected, and when."""

    name: str
    at: float
    healed_at: float


class Nemesis:
    """Injects faults and heals them; what is drawn depends on the laboratory's seed alone.

    Args:
        lab: The laboratory, with a database of its own.
        proxies: The proxy of each host, by its name.
        patience: Seconds for which a fault lasts that has no end of its own.
    """

    def __init__(self, lab: Lab, proxies: dict[str, Proxy], *, patience: float) -> None:
        self.lab = lab
        self.patience = patience
        self.injected: list[Injected] = []
        self._proxies = proxies
        self._random = lab.random

    def strike(self) -> Injected:
        """Inject one fault, wait, and heal it."""
        name = self._random.choice(sorted(FAULTS))
        at = time.time()
        FAULTS[name](self)
        done = Injected(name, at, time.time())
        self.injected.append(done)
        log.warning("%s, from %.1f to %.1f", name, at, done.healed_at)
        return done

    def host(self) -> Host:
        """Draw a host."""
        return self._random.choice(self.lab.fleet.hosts)

    def proxy(self) -> Proxy:
        """Draw the way of a host to the database."""
        return self._proxies[self.host().name]

    def wait(self) -> None:
        """Let a fault last."""
        time.sleep(self._random.uniform(0.3, 1.0) * self.patience)

    def kill(self, child: str) -> None:
        """Kill one process of a host."""
        self.host().ready(60).send(signal.SIGKILL, child)

    def kill_host(self) -> None:
        """Kill all of a host, and start it again."""
        host = self.host()
        host.kill_all()
        self.wait()
        host.start().ready(60)

    def freeze_host(self) -> None:
        """Stop all of a host where it is, and wake it up."""
        host = self.host()
        host.freeze_all()
        self.wait()
        host.wake_all()

    def restart_database(self, *, crash: bool) -> None:
        """Restart the database."""
        self.lab.server.stop(crash=crash)
        self.lab.server.start()

    def end_sessions(self) -> None:
        """End ten sessions of ours."""
        for _ in range(10):
            self.lab.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'riverrun/%'"
                " AND application_name <> 'riverrun/client' ORDER BY random() LIMIT 1"
            )
            time.sleep(0.2)

    def silence(self, hurt: Callable[[Proxy], None]) -> None:
        """Do something to the network of a host, and heal it."""
        proxy = self.proxy()
        hurt(proxy)
        self.wait()
        proxy.heal()

    def lock(self) -> None:
        """Lock the table of the jobs against writes."""
        with psycopg.connect(self.lab.database) as bully:
            bully.execute("SET lock_timeout = '5s'")
            bully.execute("LOCK TABLE river_job IN SHARE MODE")
            self.wait()


CUT_AFTER = (
    r"SET state = 'running'",
    r"SET state = 'completed'",
    r"SET state = held\.state",
    r"riverrun_schedule_tick",
)


def _leave_in_doubt(proxy: Proxy) -> None:
    for pattern in CUT_AFTER:
        proxy.cut_after_commit(pattern)


FAULTS: dict[str, Fault] = {
    "executor killed": lambda it: it.kill("executor"),
    "scheduler killed": lambda it: it.kill("scheduler"),
    "host killed": Nemesis.kill_host,
    "host frozen": Nemesis.freeze_host,
    "database restarted": lambda it: it.restart_database(crash=False),
    "database crashed": lambda it: it.restart_database(crash=True),
    "sessions ended": Nemesis.end_sessions,
    "connections cut": lambda it: it.silence(Proxy.cut),
    "connections half open": lambda it: it.silence(Proxy.half_open),
    "host cut off": lambda it: it.silence(Proxy.black_hole),
    "slow network": lambda it: it.silence(lambda proxy: proxy.delay(0.1)),
    "commit in doubt": lambda it: it.silence(_leave_in_doubt),
    "table locked": Nemesis.lock,
}
