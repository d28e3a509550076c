"""Turns the figures of several runs into an answer: medians, spreads, and the conditions they were measured under."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from riverrun_cli.bench.machine import CpuShares
from riverrun_cli.bench.plot import Bar, bars, figure
from riverrun_cli.bench.run import Figures
from riverrun_cli.bench.spread import Spread
from riverrun_cli.output import write_rows


def summary(runs: Sequence[Figures]) -> dict[str, Spread]:
    """Return the spread of each figure over ``runs``."""
    return {name: Spread.of([run[name] for run in runs]) for name in runs[0]}


def write(
    mode: str, runs: Sequence[Figures], conditions: dict[str, object], *, shares: CpuShares | None, output: str
) -> None:
    """Write the figures: JSON has every run and all conditions, the other forms a row for each figure."""
    found = summary(runs)
    if output == "json":
        cpu = None if shares is None else asdict(shares)
        spreads = {name: asdict(spread) for name, spread in found.items()}
        answer = {"mode": mode, **conditions, "cpu_shares": cpu, "runs": list(runs), "summary": spreads}
        click.echo(json.dumps(answer, indent=2, default=str))
        return
    rows = [
        {"figure": name.replace("_", " "), **{end: figure(value) for end, value in asdict(spread).items()}}
        for name, spread in found.items()
    ]
    write_rows(rows, columns=("figure", "median", "lowest", "highest"), output=output, identity="figure")
    if shares is not None and shares.others + shares.stolen > 0.05:
        click.echo(
            f"others used {shares.others:.0%} of the processors and {shares.stolen:.0%} was stolen: "
            "compare only figures of one run",
            err=True,
        )


def draw(path: Path, mode: str, runs: Sequence[Figures]) -> None:
    """Write the figures of ``runs`` that can stand side by side as an SVG chart to ``path``."""
    unit = "ms" if mode == "latency" else "jobs/s"
    ending = "_ms" if mode == "latency" else "jobs_per_second"
    chosen = {name: spread for name, spread in summary(runs).items() if name.endswith(ending)}
    rows = [Bar(name.removesuffix("_ms").replace("_", " "), spread) for name, spread in chosen.items()]
    path.write_text(bars(f"queuectl bench {mode}", unit, rows), encoding="utf-8")
