"""The figures of short-lived processes become those of one host, and no restart resets a counter."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from riverrun.messages import Sample
from riverrun.telemetry import metrics
from riverrun.telemetry.host_totals import Changes, HostTotals, render
from riverrun.telemetry.metrics import Labelled


def value(samples: list[Sample], name: str, **labels: str) -> float | None:
    return next((number for found, given, number in samples if found == name and given == labels), None)


def test_only_what_changed_is_told() -> None:
    registry = CollectorRegistry()
    counter = Counter("done_total", "-", ["queue"], registry=registry)
    Gauge("busy", "-", registry=registry).set(3)
    changes = Changes(registry)
    counter.labels("mail").inc(2)

    first, second = changes.take(), changes.take()
    counter.labels("mail").inc()
    third = changes.take()

    assert first == ([("done_total", {"queue": "mail"}, 2.0)], [("busy", {}, 3.0)])
    assert second == ([], None)
    assert third == ([("done_total", {"queue": "mail"}, 1.0)], None)


def test_every_bucket_of_a_new_histogram_is_told_once() -> None:
    registry = CollectorRegistry()
    Histogram("wait_seconds", "-", registry=registry, buckets=(1, 2)).observe(1.5)

    counters, _ = Changes(registry).take()

    assert [(name, labels.get("le"), number) for name, labels, number in counters] == [
        ("wait_seconds_bucket", "1.0", 0.0),
        ("wait_seconds_bucket", "2.0", 1.0),
        ("wait_seconds_bucket", "+Inf", 1.0),
        ("wait_seconds_count", None, 1.0),
        ("wait_seconds_sum", None, 1.5),
    ]


def test_a_gauge_that_lost_a_series_is_told_whole() -> None:
    registry = CollectorRegistry()
    gauge = Gauge("jobs", "-", ["queue"], registry=registry)
    gauge.labels("a").set(1)
    gauge.labels("b").set(2)
    changes = Changes(registry)
    changes.take()

    gauge.remove("a")

    assert changes.take() == ([], [("jobs", {"queue": "b"}, 2.0)])


def test_counters_of_a_dead_child_stay_and_its_gauges_go() -> None:
    totals = HostTotals()
    totals.add("executor mail/0", [("done_total", {}, 2.0)], [("busy", {}, 3.0)])
    totals.forget("executor mail/0")
    totals.add("executor mail/0", [("done_total", {}, 1.0)], None)

    assert totals.snapshot() == [("done_total", {}, 3.0)]


def test_gauges_of_several_children_are_added_up_and_replaced() -> None:
    totals = HostTotals()
    totals.add("executor mail/0", [], [("slots", {"queue": "mail"}, 3.0)])
    totals.add("executor mail/1", [], [("slots", {"queue": "mail"}, 2.0)])
    totals.add("executor mail/0", [], [("slots", {"queue": "mail"}, 4.0)])

    assert totals.snapshot() == [("slots", {"queue": "mail"}, 6.0)]


def test_the_scrape_has_help_and_type_of_every_metric_and_escapes_labels() -> None:
    samples: list[Sample] = [
        ("riverrun_job_attempts_total", {"queue": 'a"b', "kind": "k", "outcome": "completed"}, 4.0),
        ("riverrun_job_wait_seconds_bucket", {"queue": "q", "le": "+Inf"}, 2.0),
        ("riverrun_job_wait_seconds_bucket", {"queue": "q", "le": "10.0"}, 1.0),
        ("riverrun_job_wait_seconds_bucket", {"queue": "q", "le": "5.0"}, 1.0),
        ("riverrun_of_another_release", {}, 1.0),
    ]

    text = render(samples).decode()

    assert "# TYPE riverrun_job_attempts_total counter" in text
    assert 'riverrun_job_attempts_total{kind="k",outcome="completed",queue="a\\"b"} 4.0' in text
    assert text.index('le="5.0"') < text.index('le="10.0"') < text.index('le="+Inf"')
    assert "another_release" not in text
    assert text.count("# HELP") == text.count("# TYPE") == len(list(metrics.REGISTRY.collect()))


def test_more_than_two_hundred_kinds_share_one_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_seen", {"kind": set(), "queue": set()})
    registry = CollectorRegistry()
    done = Labelled(Counter("done_total", "-", ["kind"], registry=registry))

    for number in range(250):
        done.labels(kind=f"kind-{number}").inc()

    counters, _ = Changes(registry).take()
    assert len(counters) == 201
    assert value(counters, "done_total", kind="_other") == 50.0
