"""Where a claim starts to look: never above a job that was there when the floor was set."""

from __future__ import annotations

from riverrun.claimed_job import ClaimedJob
from riverrun_executor.floors import LAG, Floors

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND
LAG_US = LAG.total_seconds() * SECOND


def job(job_id: int, *, scheduled_us: int, priority: int = 1) -> ClaimedJob:
    """Return a claimed job that was due at ``scheduled_us``."""
    row: tuple[object, ...] = (job_id, "noop", "{}", 1, 25, priority, "{}", [], 0, NOW, scheduled_us, scheduled_us)
    return ClaimedJob(row, "default")


def test_a_full_claim_raises_the_floor_to_the_last_job_it_returned() -> None:
    floors = Floors()

    floors.rise([job(1, scheduled_us=NOW - 90 * SECOND), job(2, scheduled_us=NOW - 80 * SECOND)], exhausted=False)

    assert (floors.us[0], floors.ids[0]) == (NOW - 80 * SECOND, 2)
    assert floors.us[1] == 0


def test_a_full_claim_exhausts_the_priorities_before_its_last() -> None:
    floors = Floors()

    floors.rise([job(7, scheduled_us=NOW - 90 * SECOND, priority=3)], exhausted=False)

    assert floors.us[:2] == [NOW - LAG_US] * 2
    assert (floors.us[2], floors.ids[2]) == (NOW - 90 * SECOND, 7)
    assert floors.us[3:] == [0] * 6


def test_a_short_claim_exhausts_every_priority() -> None:
    floors = Floors()

    floors.rise([job(7, scheduled_us=NOW - 90 * SECOND, priority=3)], exhausted=True)

    assert floors.us == [NOW - LAG_US] * 9


def test_a_floor_stays_behind_the_clock_of_the_database() -> None:
    floors = Floors()

    floors.rise([job(7, scheduled_us=NOW - 1)], exhausted=False)

    assert floors.us[0] == NOW - LAG_US


def test_an_empty_claim_teaches_nothing() -> None:
    floors = Floors()

    floors.rise([], exhausted=True)

    assert floors.us == [0] * 9


def test_a_floor_never_sinks() -> None:
    floors = Floors()
    floors.rise([job(2, scheduled_us=NOW - 10 * SECOND)], exhausted=False)

    floors.rise([job(1, scheduled_us=NOW - 90 * SECOND)], exhausted=False)

    assert (floors.us[0], floors.ids[0]) == (NOW - 10 * SECOND, 2)
