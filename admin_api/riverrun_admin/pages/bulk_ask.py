"""Ask before one thing is done to many jobs: which ones, how many that would be, and what to set."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from aiohttp import web

from riverrun.errors import InvalidInput
from riverrun.names import check_job_id
from riverrun.store.bulk_operations import ACTIONS
from riverrun.store.failures import Failure
from riverrun.store.listing import Count
from riverrun_admin import bulk_actions
from riverrun_admin.filters import filter_line
from riverrun_admin.form_fields import page_or
from riverrun_admin.pages.overview import recent_failures
from riverrun_admin.pages.refusal import NOT_REFUSED, Refused
from riverrun_admin.pages.render import page
from riverrun_admin.scope import snapshot_seen

MOST_UNASKED = 1_000
"""Above so many jobs their number has to be typed."""

_BESIDE = frozenset({"action", "ticked", "back"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be done: an action, the jobs by a filter or by their ids, and the page to go back to."""

    action: str
    line: str | None
    ids: tuple[int, ...] | None
    back: str = ""

    def address(self, action: str) -> str:
        """Return the address, below ``/admin/``, of the page that asks about ``action``."""
        if self.ids is None:
            said = [("filter", self.line or "")]
        else:
            said = [("ticked", "1"), *(("id", str(job_id)) for job_id in self.ids), ("back", self.back)]
        return f"page/bulk?{urlencode([('action', action), *said])}"

    @property
    def origin(self) -> str:
        """The address of the list that the jobs were chosen from."""
        return self.back or (f"queue/jobs?filter={quote(self.line)}" if self.line else "queue/jobs")


async def ask(request: web.Request) -> web.Response:
    """Return the page for the jobs that the query names as a list does, or for those that were ticked there."""
    query = request.query
    action = known_action(query.get("action", ACTIONS[0]), "?action")
    if query.get("ticked"):
        ids = tuple(check_job_id(value, "id") for value in query.getall("id", []))
        if not ids:
            raise InvalidInput("id", None, "at least one job, ticked in the list", code="required")
        return await bulk_ask_page(request, Asked(action, None, ids, page_or(query.get("back", ""), "")))
    return await bulk_ask_page(request, Asked(action, filter_line(request, also=_BESIDE), None))


def known_action(action: str, field: str) -> str:
    """Return an action that there is.

    Raises:
        InvalidInput: There is no such action.
    """
    if action not in ACTIONS:
        raise InvalidInput(field, action, f"one of {', '.join(ACTIONS)}", code="unknown")
    return action


async def bulk_ask_page(
    request: web.Request, asked: Asked, *, refused: Refused = NOT_REFUSED, status: int = 200
) -> web.Response:
    """Return the page, with the number of jobs as it is now."""
    wanted, _ = await bulk_actions.meant(request, asked.line, asked.ids)
    number = await bulk_actions.trial(request, wanted) if asked.ids is None else Count(len(asked.ids), "eq")
    snapshot = await snapshot_seen(request)
    return page(
        request,
        "bulk_ask",
        status=status,
        address=asked.address(asked.action),
        asked=asked,
        actions=ACTIONS,
        number=number,
        alike=await _groups(request, wanted.fingerprints),
        must_type=number is not None and number.value > MOST_UNASKED,
        queues=[queue.name for queue in snapshot.statistics.queues],
        refused=refused,
    )


async def _groups(request: web.Request, fingerprints: Collection[str]) -> list[Failure]:
    """Return what is known of the groups of failures that a filter names, to say in words what it is about."""
    found = (await recent_failures(request))[0] if fingerprints else []
    return [failure for failure in found if failure.fingerprint in fingerprints]
