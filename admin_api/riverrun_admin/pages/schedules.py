"""The schedules, and when each is due next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from aiohttp import web

from riverrun.cron_grammar import parse_expression
from riverrun.errors import InvalidInput
from riverrun.schedule import Schedule
from riverrun.store import schedules
from riverrun_admin.pages.render import page
from riverrun_admin.services import services


async def schedules_page(request: web.Request) -> web.Response:
    """Return the list of schedules."""
    found = await services(request).database.run(schedules.list_all())
    now = datetime.now(UTC)
    return page(request, "schedules", schedules=found, due={each.name: next_times(each, now) for each in found})


def next_times(schedule: Schedule, now: datetime, *, times: int = 3) -> Sequence[datetime]:
    """Return when ``schedule`` is due next; nothing while it is paused or when a newer release wrote its expression."""
    if schedule.paused_at is not None:
        return ()
    try:
        expression = parse_expression(schedule.expression, "expression", zone=schedule.timezone)
    except InvalidInput:
        return ()
    found: list[datetime] = []
    for _ in range(times):
        found.append(expression.next_after(found[-1] if found else now))
    return found
