"""Sees to it that one scheduler of all hosts leads, and that another does so soon when it does not any more.

    follow ── lock granted ──> lead (a Term, numbered by its generation)
      ^                          │
      └── session ended <────────┘  the lock is the session's, so it goes with it

A follower asks for the lock about twice a second and never waits for it. What ends a term, and how soon the next
begins:

- the leader stops: it unlocks and says so, followers ask at once;
- it is killed: the server ends its session, a follower's next question is answered with the lock (below 1 s);
- its host is cut off: the server ends the session after four seconds in which nothing was acknowledged (5 s), and the
  leader itself gives up after 3 s without an answer, counted from before it asked;
- it is stopped or hangs: after six seconds without a pulse a follower ends its session (7 s). When it wakes up, the
  session that its writes would run on is gone.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from datetime import timedelta

import psycopg

from riverrun.database.connect import first_line
from riverrun.errors import DatabaseUnavailable
from riverrun.pooler import refuse_shared_sessions
from riverrun.reconnect_wait import ReconnectWait
from riverrun.role import RoleContext
from riverrun.store import leader
from riverrun.tasks import unless
from riverrun.telemetry import metrics
from riverrun_scheduler.clock import DatabaseClock
from riverrun_scheduler.reign import Reign
from riverrun_scheduler.session import Session, open_session
from riverrun_scheduler.term import Term, TermOver

log = logging.getLogger(__name__)

ASK_SECONDS = 0.6
READ_ONLY = {
    "meaning": "this PostgreSQL is a standby or read-only, so nobody can lead on it",
    "do": "point the configuration at the primary",
}
NOT_ALLOWED = {
    "meaning": "the leader shows no life, and this database role may not end its session",
    "do": "grant pg_signal_backend to the role, or end the process of that scheduler",
}
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=0.5), timedelta(seconds=10)


class Leader:
    """One scheduler's part in the election, for the life of its process."""

    def __init__(self, context: RoleContext) -> None:
        self._context = context
        self._backoff = ReconnectWait(FIRST_WAIT, LONGEST_WAIT)
        self._is_direct = False
        self._hosts: dict[int, float] = {}
        self._clock = DatabaseClock()

    async def run(self) -> None:
        """Follow and lead until the process shall drain, over as many connections as it takes.

        It is asked to leave, not cancelled: a statement that is cut off may take the session along, and with it the
        chance to tell the others.

        Raises:
            ConfigError: No database is configured, or a pooler that shares sessions stands before it.
            SchemaError: The tables are not those of this release.
        """
        while not self._context.draining.is_set():
            try:
                await self._live()
            except TermOver as error:
                log.warning("term_ended", extra={"reason": str(error)})
                continue
            except psycopg.errors.ReadOnlySqlTransaction:
                log.error("database_read_only", extra=READ_ONLY)
            except (psycopg.Error, DatabaseUnavailable, TimeoutError) as error:
                metrics.db_failed("election")
                log.warning("election_interrupted", extra={"error": first_line(error)})
            await unless(self._context.draining, asyncio.sleep(self._backoff.next()))

    async def _live(self) -> None:
        """Follow and lead on one connection until it is lost or the process shall drain."""
        await self._refuse_pooler()
        async with open_session(self._context.settings) as session:
            self._context.ready()
            generation = await self._elected(session)
            if generation is None:
                return
            self._backoff.reset()
            term = Term(session, generation, self._context, hosts=self._hosts, clock=self._clock)
            reign = Reign(term, self._context)
            log.info("term_began", extra={"generation": generation})
            try:
                await reign.run()
            finally:
                await reign.end()

    async def _refuse_pooler(self) -> None:
        """Make sure, once, that the session is nobody else's: the lock that makes a leader belongs to a session."""
        if not self._is_direct:
            await refuse_shared_sessions(self._context.settings.dsn(), name="riverrun/scheduler/start")
            self._is_direct = True

    async def _elected(self, session: Session) -> int | None:
        """Return the generation of the term that begins, once it does; None when the process shall drain before."""
        while not self._context.draining.is_set():
            election = await session.run(leader.elect(self._context.server_id))
            self._hosts.update(dict.fromkeys(election.hosts, time.monotonic()))
            was_set = self._clock.read(election.now)
            if election.generation is not None:
                return election.generation
            self._context.progress += 1
            if election.stalled and not was_set:
                await self._end_stalled(session)
            self._context.reread_if_asked()
            rest = ASK_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
            await unless(self._context.draining, session.rest(rest))
        return None

    async def _end_stalled(self, session: Session) -> None:
        try:
            server_id = await session.run(leader.terminate_stalled())
        except psycopg.errors.InsufficientPrivilege:
            log.error("leader_not_terminated", extra=NOT_ALLOWED)
            return
        if server_id is not None:
            log.warning("leader_terminated", extra={"leader": server_id})
