"""``make bench``: runs everything, writes the figures to results.json and from them docs/performance.md."""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.ceiling import ceiling, enqueue_alone
from bench.document import charts, document
from bench.scenarios import SCENARIOS, Place, Scenario, Sizes, prepare
from bench.server import Server, server
from bench.session import TooSlow
from bench.systems import OURS, SYSTEMS, Environment, System, Unavailable
from bench.systems import prepare as environment_of
from riverrun_cli.bench.machine import CpuWatch, facts, server_facts

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results.json"
REPEATS = 3
QUICK = Sizes(jobs=2_000, long=22_000, single=100, latency=30, seconds=3.0)

Results = dict[str, Any]


def main() -> int:
    """Measure, and write what was found; 1 when something of ours could not be measured."""
    given = _arguments()
    sizes = QUICK if given.quick else Sizes()
    with server() as postgres:
        results = _beginning(postgres, sizes, given)
        watch = CpuWatch([os.getpid()])
        ready = _prepare(postgres, results, given.systems)
        for repeat in range(given.repeat):
            for scenario in _chosen(given.scenarios):
                for system, environment in ready.items():
                    if scenario.concerns(system):
                        _measure(postgres, results, scenario, system, environment, sizes)
            if OURS in results["systems"] and (not given.scenarios or "ceiling" in given.scenarios):
                _measure_ceiling(postgres, results, sizes)
            results["repeats"] = repeat + 1
            shares = watch.shares()
            results["cpu_shares"] = None if shares is None else asdict(shares)
            RESULTS.write_text(json.dumps(results, indent=1), encoding="utf-8")
    _publish(results, given.output)
    return int(OURS not in results["systems"] or bool(results["failures"].get(OURS)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Compare Riverrun with other job queues.")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that everything runs, not how fast")
    parser.add_argument("--repeat", type=int, default=REPEATS, help="measurements of each figure")
    parser.add_argument("--systems", nargs="*", default=[], help="only these, such as riverrun graphile-worker")
    parser.add_argument("--scenarios", nargs="*", default=[], help="only these, such as drain_1 latency ceiling")
    parser.add_argument("--output", type=Path, help="folder that takes performance.md and images/; by default none")
    return parser.parse_args()


def _chosen(names: Sequence[str]) -> list[Scenario]:
    return [scenario for scenario in SCENARIOS if not names or scenario.key in names]


def _beginning(postgres: Server, sizes: Sizes, given: argparse.Namespace) -> Results:
    with postgres.connect() as conn:
        settings = server_facts(conn)
    return {
        "started": datetime.now(UTC).isoformat(timespec="minutes"),
        "command": _command(given),
        "machine": facts(),
        "postgresql": settings,
        "sizes": asdict(sizes),
        "systems": {},
        "skipped": {},
        "failures": {},
        "scenarios": {},
        "ceiling": {},
        "enqueue_alone": [],
    }


def _command(given: argparse.Namespace) -> str:
    """Return what to type for the same run."""
    more = []
    if given.repeat != (1 if given.quick else REPEATS):
        more += ["--repeat", str(given.repeat)]
    for option in ("systems", "scenarios"):
        if names := getattr(given, option):
            more += [f"--{option}", *names]
    arguments = [f"BENCH_ARGS='{' '.join(more)}'"] if more else []
    return " ".join(["make bench", *(["QUICK=1"] if given.quick else []), *arguments])


def _prepare(postgres: Server, results: Results, names: Sequence[str]) -> dict[System, Environment]:
    """Make environments and databases; a system that cannot be measured is named with the reason."""
    ready = {}
    for system in SYSTEMS:
        if names and system.name not in names:
            continue
        _say(f"preparing {system.name}")
        try:
            environment = environment_of(system)
            said = prepare(postgres, system, environment)
        except (Unavailable, TooSlow, RuntimeError) as error:
            results["skipped"][system.name] = str(error)
            _say(f"  left out: {error}")
        else:
            results["systems"][system.name] = {**said, "share": system.share}
            ready[system] = environment
    return ready


def _measure(
    postgres: Server,
    results: Results,
    scenario: Scenario,
    system: System,
    environment: Environment,
    sizes: Sizes,
) -> None:
    """Measure one figure of one system once; what fails is noted and does not stop the others."""
    _say(f"{scenario.key:10} {system.name}")
    database = f"{system.identifier}_run"
    postgres.create(database, template=f"{system.identifier}_template")
    unfinished = results["systems"][system.name]["unfinished"]
    place = Place(postgres, environment, database, unfinished, sizes)
    try:
        figures = scenario.run(place, max(100, int(scenario.jobs(sizes) * system.share)))
    except (TooSlow, RuntimeError) as error:
        results["failures"].setdefault(system.name, []).append(f"{scenario.key}: {error}")
        _say(f"  failed: {error}")
    except Exception as error:  # noqa: BLE001 - a run of an hour must not end with one system's surprise
        traceback.print_exc()
        results["failures"].setdefault(system.name, []).append(f"{scenario.key}: {type(error).__name__}: {error}")
    else:
        results["scenarios"].setdefault(scenario.key, {}).setdefault(system.name, []).append(figures)
        _say("  " + ", ".join(f"{name} {value:,.1f}" for name, value in figures.items()))


def _measure_ceiling(postgres: Server, results: Results, sizes: Sizes) -> None:
    for clients in (1, 2):
        figures = ceiling(postgres, f"{OURS}_template", clients=clients, jobs=sizes.jobs)
        results["ceiling"].setdefault(str(clients), []).append(figures)
        _say(f"ceiling    {clients} clients\n  jobs_per_second {figures['jobs_per_second']:,.1f}")
    alone = enqueue_alone(postgres, f"{OURS}_template", jobs=sizes.latency)
    results["enqueue_alone"].append(alone)
    _say(f"enqueue    alone\n  p50_ms {alone['p50_ms']:,.1f}")


def _publish(results: Results, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(document(results))
        return
    images = output / "images"
    images.mkdir(parents=True, exist_ok=True)
    for name, chart in charts(results).items():
        (images / name).write_text(chart, encoding="utf-8")
    (output / "performance.md").write_text(document(results), encoding="utf-8")
    _say(f"wrote {output / 'performance.md'}")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
