"""The page on performance says what was measured, and only that."""

from __future__ import annotations

import copy
from typing import Any
from xml.etree import ElementTree

from bench.document import charts, document


def drained(*rates: float) -> list[dict[str, float]]:
    return [
        {"jobs_per_second": rate, "worker_microseconds_per_job": 30.0, "worker_mib_at_first": 50.0, "worker_mib": 55.0}
        for rate in rates
    ]


def waits(p50: float) -> list[dict[str, float]]:
    return [{"p50_ms": p50, "p95_ms": 2 * p50, "p99_ms": 3 * p50}]


RESULTS: dict[str, Any] = {
    "started": "2026-11-23T02:00+00:00",
    "command": "make bench",
    "repeats": 3,
    "machine": {"cores": 2, "cpu": "a processor", "system": "Linux 6 x86_64", "python": "3.11.7"},
    "postgresql": {"version": "18.4", "fsync": "on", "shared_buffers": "1GB"},
    "sizes": {"jobs": 20_000, "long": 220_000, "single": 1_000, "latency": 300, "seconds": 15.0},
    "cpu_shares": {"ours": 0.8, "others": 0.12, "stolen": 0.03},
    "systems": {
        "riverrun": {"version": "0.1.0", "configuration": "600 slots", "share": 1.0},
        "other": {"version": "9.9", "configuration": "batches", "share": 0.25},
    },
    "skipped": {"river": "a Go toolchain is not installed"},
    "failures": {"other": ["drain_2: TooSlow"]},
    "scenarios": {
        "drain_1": {"riverrun": drained(30_000, 20_000, 25_000), "other": drained(10_000, 9_000, 11_000)},
        "drain_2": {"riverrun": drained(40_000)},
        "latency": {"riverrun": waits(2.0), "other": waits(5.0)},
        "free": {"riverrun": drained(20_000), "other": drained(10_000)},
        "pinned": {
            "riverrun": [{"jobs_per_second": 19_000.0, "latency_p50_ms": 2.5}],
            "other": [{"jobs_per_second": 5_000.0, "latency_p50_ms": 40.0}],
        },
        "http": {"riverrun": drained(3_500)},
    },
    "ceiling": {
        "1": [{"jobs_per_second": 50_000.0, "server_microseconds_per_job": 20.0}],
        "2": [{"jobs_per_second": 80_000.0, "server_microseconds_per_job": 24.0}],
    },
    "enqueue_alone": [{"p50_ms": 1.5, "p95_ms": 2.5, "p99_ms": 4.0}],
}


def test_a_drain_is_shown_as_its_median_with_both_ends_and_the_ratio_of_medians() -> None:
    page = document(RESULTS)

    assert "| riverrun | 25,000 (20,000–30,000) | – |" in page
    assert "| other | 10,000 (9,000–11,000) | 2.50 × |" in page


def test_latency_is_compared_the_other_way_round() -> None:
    assert "| other | 5.00 | 10.0 | 15.0 | 2.50 × shorter |" in document(RESULTS)


def test_a_pinned_horizon_is_shown_as_the_part_that_is_kept() -> None:
    page = document(RESULTS)

    assert "| riverrun | 20,000 | 19,000 | 0.95 | 2.50 |" in page
    assert "| other | 10,000 | 5,000 | 0.50 | 40.0 |" in page


def test_drains_are_set_against_the_ceiling() -> None:
    page = document(RESULTS)

    assert "| pgbench, 1 client | 50,000 | 20.0 | 0.50 | 0.80 |" in page
    assert "| pgbench, 2 clients | 80,000 | 24.0 | 0.31 | 0.50 |" in page


def test_what_a_job_costs_server_and_executor_bounds_what_the_processors_can_do() -> None:
    assert "so 2 processors that never wait and do nothing else work off 40,000 jobs/s." in document(RESULTS)


def test_latency_is_set_against_the_enqueue_call_alone() -> None:
    assert "where nobody works, takes 1.50 ms (p50)" in document(RESULTS)


def test_the_page_names_its_conditions_and_what_is_missing() -> None:
    page = document(RESULTS)

    for part in (
        "`make bench` on 2026-11-23",
        "2 cores (a processor)",
        "PostgreSQL 18.4",
        "others used 12% of the processors, and 3% was stolen",
        "3 times each",
        "| other | 9.9 | batches (given 25% of the jobs of enqueue and drain) |",
        "`shared_buffers` 1GB",
        "river was left out: a Go toolchain is not installed.",
        "other, drain_2: TooSlow.",
    ):
        assert part in page, part


def test_what_was_not_measured_has_no_section() -> None:
    page = document(RESULTS)

    assert "## Bulk enqueue" not in page
    assert "## Handlers that do something" in page
    assert "coroutine that waits" not in page


def test_every_image_of_the_page_is_drawn_and_well_formed() -> None:
    page, drawn = document(RESULTS), charts(RESULTS)

    assert sorted(drawn) == sorted({part.partition(")")[0] for part in page.split("](images/")[1:]})
    for chart in drawn.values():
        ElementTree.fromstring(chart)


def test_the_page_is_a_function_of_the_results_alone() -> None:
    before = copy.deepcopy(RESULTS)

    assert document(RESULTS) == document(copy.deepcopy(RESULTS))
    assert before == RESULTS


def test_a_run_in_which_nothing_was_measured_still_says_why() -> None:
    page = document({**RESULTS, "scenarios": {}, "ceiling": {}, "cpu_shares": None})

    assert "river was left out" in page
    assert charts({**RESULTS, "scenarios": {}}) == {}
