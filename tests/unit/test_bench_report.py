"""What measurements are turned into: medians with their ends, percentiles, and a chart."""

from __future__ import annotations

import os
import time
from xml.etree import ElementTree

import pytest

from riverrun_cli.bench.machine import CpuWatch, facts, process_seconds, resident_bytes, tree_seconds
from riverrun_cli.bench.plot import Bar, bars, figure
from riverrun_cli.bench.report import summary
from riverrun_cli.bench.spread import Spread, percentile


def test_a_spread_has_the_median_and_both_ends() -> None:
    assert Spread.of([3.0, 1.0, 10.0]) == Spread(3.0, 1.0, 10.0)


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (95, 95), (99, 99), (100, 100), (0, 1)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], percent) == expected


def test_the_99th_of_few_values_is_the_highest() -> None:
    assert percentile([1.0, 2.0, 9.0], 99) == 9.0


def test_a_summary_takes_each_figure_over_all_runs() -> None:
    found = summary([{"seconds": 1.0, "jobs": 10.0}, {"seconds": 3.0, "jobs": 30.0}])

    assert found == {"seconds": Spread(2.0, 1.0, 3.0), "jobs": Spread(20.0, 10.0, 30.0)}


def test_a_chart_is_well_formed_and_its_bars_keep_the_ratios() -> None:
    chart = bars("drain <1>", "jobs/s", [Bar("a & b", Spread(100, 90, 200)), Bar("c", Spread(50, 50, 50), ours=False)])

    drawn = ElementTree.fromstring(chart)
    widths = [float(rect.attrib["width"]) for rect in drawn.iter("{http://www.w3.org/2000/svg}rect")][1:]
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)
    assert texts[0] == "drain <1>"
    assert "a & b" in texts


def test_a_chart_without_anything_measured_is_still_a_chart() -> None:
    ElementTree.fromstring(bars("nothing", "ms", []))


@pytest.mark.parametrize(("value", "shown"), [(24_499.4, "24,499"), (12.345, "12.3"), (3.7, "3.70")])
def test_figures_have_the_digits_that_count(value: float, shown: str) -> None:
    assert figure(value) == shown


def test_processor_time_of_this_process_counts_as_ours() -> None:
    watch = CpuWatch([os.getpid(), None])
    before = process_seconds([os.getpid()])
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass

    shares = watch.shares()

    taken = process_seconds([os.getpid()])
    assert taken - before == pytest.approx(0.2, abs=0.05)
    assert shares is not None
    assert shares.ours > 0
    assert tree_seconds([os.getpid()]) >= taken  # which was read first, and time goes on


def test_a_process_that_is_gone_used_nothing() -> None:
    assert process_seconds([2**22 + 1]) == 0.0
    assert resident_bytes(2**22 + 1) == 0


def test_the_machine_is_named() -> None:
    found = facts()

    assert found["cores"] == os.cpu_count()
    assert found["cpu"]
    assert resident_bytes(os.getpid()) > 1_000_000
