"""A term: the right to lead, and the one way in which a leader writes.

Everything of a term runs on the session that holds the lock, one statement at a time, and carries the generation: no
write can outlive the lock, and none of an older term can follow one of a newer. A leader trusts itself for three
seconds from before it last asked whether it still leads; a process that was stopped wakes up later than that. It asks
once a second: with a pulse between two steps of its services, and with a beat in the middle of a step that lasts
longer, as one of several statements does on a slow network.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from psycopg.errors import QueryCanceled

from riverrun.database.statements import Steps
from riverrun.role import RoleContext
from riverrun.settings.schema import Settings
from riverrun.store import leader
from riverrun.store.leader import Pulse
from riverrun.store.river_leader import FAMILY
from riverrun_scheduler.clock import DatabaseClock
from riverrun_scheduler.due import Due
from riverrun_scheduler.session import Session

T = TypeVar("T")

PULSE_SECONDS = 1.0
TRUST_SECONDS = 3.0


class TermOver(Exception):
    """This scheduler does not lead any more."""


class Term:
    """One reign of one scheduler.

    Attributes:
        generation: Its number; rises with every term of any scheduler.
        hosts: When the lock of each host was last seen held, before this term or in it.
        due: Where to begin to look for due jobs.
    """

    def __init__(
        self,
        session: Session,
        generation: int,
        context: RoleContext,
        *,
        hosts: dict[int, float] | None = None,
        clock: DatabaseClock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.generation = generation
        self._clock = clock or DatabaseClock()
        self.hosts = {} if hosts is None else hosts
        self.due = Due(monotonic)
        self._session = session
        self._context = context
        self._monotonic = monotonic
        self._pulsed_at = self._confirmed_at = monotonic()

    @property
    def settings(self) -> Settings:
        """The configuration as it is now."""
        return self._context.settings

    @property
    def leader_id(self) -> str:
        """The name of this scheduler process in River's leader row."""
        return f"{FAMILY}{self._context.incarnation}"

    @property
    def session(self) -> Session:
        """The session that holds the lock."""
        return self._session

    @property
    def until_pulse(self) -> float:
        """Seconds until the next pulse is due; not above zero when it is."""
        return self._pulsed_at + PULSE_SECONDS - self._monotonic()

    async def run(self, steps: Steps[T]) -> T:
        """Run an operation within the time for which this term is trusted, after a beat when a pulse is overdue.

        Raises:
            TermOver: The time is up, before or while it ran.
        """
        if self._monotonic() >= self._confirmed_at + PULSE_SECONDS:
            await self.beat()
        return await self._ask(steps)

    async def pulse(self) -> Pulse:
        """Show that the leader lives and return what is new.

        Raises:
            LockNotAvailable: Somebody has locked a table that it looks at; the term goes on while there is a `beat`.
            QueryCanceled: It took too long; likewise, and the next one looks at less.
            TermOver: Another scheduler leads, or there was no answer in time.
        """
        sent = self._monotonic()
        try:
            pulse = await self._ask(leader.pulse(self.generation, self.due.aim()))
        except QueryCanceled:
            self.due.gave_up()
            raise
        if pulse is None:
            raise TermOver("another scheduler leads")
        self._confirmed(sent)
        self._pulsed_at = sent
        self.due.looked(pulse)
        self.hosts.update(dict.fromkeys(pulse.hosts, sent))
        self._clock.read(pulse.now)
        return replace(pulse, settled=min(pulse.settled, self._session.age, self._clock.steady_for))

    async def beat(self) -> None:
        """Show that the leader lives, and look at nothing.

        Raises:
            TermOver: Another scheduler leads, or there was no answer in time.
        """
        sent = self._monotonic()
        if not await self._ask(leader.beat(self.generation)):
            raise TermOver("another scheduler leads")
        self._confirmed(sent)

    async def _ask(self, steps: Steps[T]) -> T:
        left = self._confirmed_at + TRUST_SECONDS - self._monotonic()
        try:
            if left > 0:
                return await self._session.run(steps, within=left)
        except TimeoutError:
            pass
        raise TermOver(f"the database has not confirmed it for {TRUST_SECONDS:.0f} s")

    def _confirmed(self, sent: float) -> None:
        self._confirmed_at = sent
        self._context.progress += 1
