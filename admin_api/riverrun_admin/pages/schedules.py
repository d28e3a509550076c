"""The schedules, when each is due next, and the form that makes and changes one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from aiohttp import web

from riverrun.cron_grammar import parse_expression
from riverrun.errors import InvalidInput
from riverrun.names import check_schedule_name
from riverrun.schedule import MISSED, Schedule
from riverrun.store import schedules
from riverrun_admin.pages.render import page
from riverrun_admin.scope import schedule_seen, schedules_seen
from riverrun_admin.services import services

TIMES_SHOWN = 5
TICKS_SHOWN, TICKS_LISTED = 8, 50
LATE_AFTER = timedelta(minutes=1)


async def schedules_page(request: web.Request) -> web.Response:
    """Return the list of schedules."""
    found = await schedules_seen(request)
    now = datetime.now(UTC)
    return page(
        request,
        "schedules",
        schedules=found,
        ticks=await services(request).database.run(schedules.history([each.name for each in found], rows=TICKS_SHOWN)),
        due={each.name: next_times(each, now, times=TIMES_SHOWN) for each in found},
        late={each.name for each in late(found, now)},
    )


async def schedule_page(request: web.Request) -> web.Response:
    """Return the form for a new schedule, or for the one that the query names.

    Raises:
        NotFound: There is no such schedule.
    """
    name = request.query.get("name")
    known, ticks = None, []
    if name:
        known = await schedule_seen(request, check_schedule_name(name, "?name"))
        found = await services(request).database.run(schedules.history([known.name], rows=TICKS_LISTED))
        ticks = found[known.name]
    now = datetime.now(UTC)
    return page(
        request,
        "schedule",
        schedule=known and services(request).mask.schedule(known),
        args_hidden=known is not None and services(request).mask.schedule(known).args_text != known.args_text,
        ticks=ticks,
        due=next_times(known, now, times=TIMES_SHOWN) if known else (),
        is_late=bool(known and late([known], now)),
        missed=MISSED,
        kind=request.query.get("kind", ""),
    )


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


def late(found: Sequence[Schedule], now: datetime) -> list[Schedule]:
    """Return the schedules that a tick is due of for more than a minute, and nobody has enqueued it or left it out."""
    return [each for each in found if (due := each.overdue_since(now)) is not None and now - due > LATE_AFTER]
