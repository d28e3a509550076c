"""Which points in time may be stored, and what stands for those that Python does not have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from riverrun.errors import InvalidInput
from riverrun.moments import EARLIEST, LATEST, bounded, check_moment
from riverrun.new_job import new_job
from riverrun.pauses import new_pause
from riverrun.store.changing import JobChange
from riverrun_admin.rules import check_time
from riverrun_cli.inputs import moment_of

WEST, EAST = timezone(timedelta(hours=-23)), timezone(timedelta(hours=23, minutes=59))
REFUSED = [
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=WEST),
    datetime(9999, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=EAST),
]


@pytest.mark.parametrize("moment", REFUSED, ids=str)
def test_every_door_refuses_a_time_that_could_not_be_read_back(moment: datetime) -> None:
    doors: list[Callable[[], object]] = [
        lambda: check_moment(moment, "at"),
        lambda: new_job("email", {}, scheduled_at=moment),
        lambda: new_pause(resume_at=moment),
        lambda: JobChange(scheduled_at=moment),
        lambda: check_time(moment.isoformat(), "scheduled_at"),
        lambda: moment_of(moment.isoformat(), "--at"),
    ]

    for door in doors:
        with pytest.raises(InvalidInput, match="a time from 1970 to 9998"):
            door()


def test_a_time_that_is_refused_is_named_as_one_writes_it() -> None:
    with pytest.raises(InvalidInput, match=r"^resume_at: 9999-12-31T23:59:59-23:00 is not allowed"):
        new_pause(resume_at=REFUSED[0])


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"resume_at.*a time with a zone"):
        new_pause(resume_at=datetime(2030, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("zone", [WEST, EAST])
def test_a_time_in_any_zone_is_taken_in_utc(zone: timezone) -> None:
    moment = datetime(2030, 1, 1, tzinfo=zone)

    checked = check_moment(moment, "at")

    assert (checked, checked.tzinfo) == (moment, UTC)


def test_what_cannot_be_shown_in_every_zone_is_the_nearest_that_can() -> None:
    assert bounded(datetime(9999, 12, 31, 23, tzinfo=WEST)) == LATEST
    assert bounded(datetime(1, 1, 1, tzinfo=EAST)) == EARLIEST
    for moment in (EARLIEST, LATEST):
        assert moment.astimezone(WEST) == moment.astimezone(EAST) == bounded(moment)
