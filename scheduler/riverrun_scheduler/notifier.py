"""Tells people what the fleet cannot mend by itself: looks every ten seconds, tells of each thing once in a while."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from riverrun.schedule import Schedule
from riverrun.settings.notifications import RuleSettings
from riverrun.store import notices, registry, schedules, statistics
from riverrun.store.leader import Pulse
from riverrun_scheduler.notice import Notice
from riverrun_scheduler.postman import Postman
from riverrun_scheduler.term import Term

LOOK_SECONDS = 10.0
MOST_AT_ONCE = 20


class Notifier:
    """Looks during one term, one rule a step."""

    def __init__(self, term: Term) -> None:
        self._term = term
        self._postman = Postman()
        self._looked: dict[str, float] = {}

    async def step(self, pulse: Pulse) -> bool:
        """Look at the first rule that is due."""
        now = time.monotonic()
        for name, rule in self._term.settings.notifications.rules.items():
            if self._looked.get(name, float("-inf")) + LOOK_SECONDS <= now:
                self._looked[name] = now
                await self._look(name, rule, pulse.now)
                return True
        return False

    async def close(self) -> None:
        """Stop sending."""
        await self._postman.close()

    async def _look(self, name: str, rule: RuleSettings, now: datetime) -> None:
        found = {
            subject[:255]: sentence
            for subject, sentence in (await self._found(rule, now)).items()
            if not rule.only or any(fnmatchcase(word, pattern) for word in _words(subject) for pattern in rule.only)
        }
        told = sorted(await self._term.run(notices.take(self._term.generation, name, found, rule.quiet)))
        for subject in told[:MOST_AT_ONCE]:
            more = f" ({len(told) - MOST_AT_ONCE} more)" if len(told) > MOST_AT_ONCE else ""
            self._tell(name, rule, subject, found[subject] + more, now)

    async def _found(self, rule: RuleSettings, now: datetime) -> Mapping[str, str]:
        """Return what ``rule`` is about at this moment: a sentence for each subject."""
        match rule.event:
            case "discarded":
                return await self._discarded(rule.least)
            case "late_schedule":
                known = await self._term.run(schedules.list_all())
                return {
                    f"schedule:{each.name}": _late_sentence(each) for each in known if _is_late(each, now, rule.late)
                }
            case "unserved_queue":
                return await self._unserved(rule.late)
            case "handler_paused":
                paused = [each for each in await self._term.run(registry.handlers()) if each.paused_at is not None]
                return {f"handler:{each.kind}": f"The handler of {each.kind} is paused." for each in paused}

    async def _discarded(self, least: int) -> Mapping[str, str]:
        return {
            f"queue:{each.queue} kind:{each.kind}": (
                f"{each.jobs} jobs of kind {each.kind} in the queue {each.queue} were discarded within five minutes; "
                f"the newest is {each.newest_id}: {(each.error or '')[:200]}"
            )
            for each in await self._term.run(notices.discarded_lately())
            if each.jobs >= least
        }

    async def _unserved(self, late: timedelta) -> Mapping[str, str]:
        return {
            f"queue:{queue}": f"No executor serves the queue {queue}; its oldest job has waited {seconds:.0f} s."
            for queue, seconds in (await self._term.run(statistics.unserved())).items()
            if seconds >= late.total_seconds()
        }

    def _tell(self, name: str, rule: RuleSettings, subject: str, sentence: str, now: datetime) -> None:
        settings = self._term.settings
        notice = Notice(name, rule.event, subject, sentence, settings.server_id, now)
        for channel in rule.channels:
            self._postman.hand(notice, channel, settings.notifications.channels[channel])


def _words(subject: str) -> list[str]:
    """Return the names in a subject such as ``queue:mail kind:email``."""
    return [part.partition(":")[2] for part in subject.split(" ")]


def _is_late(schedule: Schedule, now: datetime, late: timedelta) -> bool:
    due = schedule.overdue_since(now)
    return due is not None and now - due > late


def _late_sentence(schedule: Schedule) -> str:
    last = "never" if schedule.last_tick is None else schedule.last_tick.isoformat(timespec="seconds")
    return f"The schedule {schedule.name} ({schedule.expression}) is late; its last tick: {last}."
