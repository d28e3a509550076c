"""The verbs of ``queuectl bench`` and what they share: a queue of their own, repeats, and a clean end."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import psycopg

from riverrun import Client
from riverrun.database.connect import session_dsn
from riverrun.database.statements import Statements
from riverrun.store import bench as store
from riverrun_cli.bench import machine, report, run
from riverrun_cli.bench.executors import running
from riverrun_cli.bench.run import QUEUE, Advance, Figures, Place
from riverrun_cli.database import Access, with_database
from riverrun_cli.noun import NounGroup
from riverrun_cli.options import output_option

SEED_BATCH = 50_000


@click.group(cls=NounGroup)
def bench() -> None:
    """Measure how fast this host and its database run jobs.

    All jobs go to a queue of their own, `bench`, and are removed afterwards. A measurement takes all the speed there
    is: other work on the database slows down meanwhile.
    """
    # What a measurement has started and enqueued goes with it also when it is ended from outside.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _measures(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options that every measurement has."""
    plot = click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Draw an SVG.")
    repeat = click.option("--repeat", type=click.IntRange(1, 100), default=3, show_default=True, help="Runs.")
    return output_option(with_database(repeat(plot(function))))


def _jobs_option(default: int) -> Callable[..., Any]:
    return click.option("--jobs", type=click.IntRange(1), default=default, show_default=True, help="Jobs of a run.")


def _executor_options(function: Callable[..., None]) -> Callable[..., None]:
    slots = click.option("--slots", type=click.IntRange(1, 10_000), default=600, show_default=True, help="Of each.")
    count = click.IntRange(1, 64)
    return click.option("--processes", type=count, default=1, show_default=True, help="Executor processes.")(
        slots(function)
    )


@bench.command
@click.option("--how", type=click.Choice(("single", "many", "copy")), default="copy", show_default=True)
@_jobs_option(20_000)
@_measures
def enqueue(access: Access, /, *, how: str, jobs: int, **options: Any) -> None:
    """Enqueue jobs: one a call, a thousand a statement, or as a stream by COPY."""
    with _place(access) as place:
        measure = functools.partial(run.enqueue, place, how=how, jobs=jobs)
        _measure(f"enqueue {how}", place, measure, steps=jobs, **options)


@bench.command
@_jobs_option(20_000)
@_executor_options
@_measures
def drain(access: Access, /, *, jobs: int, processes: int, slots: int, **options: Any) -> None:
    """Let idle executors work off jobs whose handler does nothing."""
    with _place(access) as place, _executors(access, processes, slots) as executors:
        measure = functools.partial(run.drain, place, executors, jobs=jobs)
        _measure("drain", place, measure, steps=jobs, processes=processes, slots=slots, **options)


@bench.command
@click.option("--seconds", type=click.FloatRange(1), default=15.0, show_default=True, help="Length of a run.")
@_executor_options
@_measures
def sustained(access: Access, /, *, seconds: float, processes: int, slots: int, **options: Any) -> None:
    """Enqueue and work at the same time."""
    with _place(access) as place, _executors(access, processes, slots):
        measure = functools.partial(run.sustained, place, seconds=seconds)
        _measure("sustained", place, measure, steps=None, processes=processes, slots=slots, **options)


@bench.command
@_jobs_option(200)
@_executor_options
@_measures
def latency(access: Access, /, *, jobs: int, processes: int, slots: int, **options: Any) -> None:
    """Time from just before the enqueue call to the first line of the handler, on idle executors."""
    with _place(access) as place, _executors(access, processes, slots):
        measure = functools.partial(run.latency, place, jobs=jobs)
        _measure("latency", place, measure, steps=jobs, processes=processes, slots=slots, **options)


@bench.command
@_jobs_option(100_000)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same jobs.")
@with_database
def seed(access: Access, /, *, jobs: int, seed: int) -> None:
    """Fill the database with realistic jobs in every state and leave them there; `bench clean` removes them."""
    with _place(access, keep=True) as place, _progress("seed", jobs) as advance:
        for start in range(1, jobs + 1, SEED_BATCH):
            count = min(SEED_BATCH, jobs - start + 1)
            steps = store.seed(QUEUE, start=start, jobs=count, total=jobs, seed=seed)
            place.statements.run_sync(place.conn, steps)
            advance(count)
        place.conn.execute("ANALYZE")
    click.echo(f"{jobs} jobs in queue {QUEUE}; remove them with: queuectl bench clean", err=True)


@bench.command
@with_database
def clean(access: Access, /) -> None:
    """Remove every job that measurements have left."""
    with _place(access, keep=True) as place:
        click.echo(f"removed {place.statements.run_sync(place.conn, store.sweep(QUEUE))} jobs", err=True)


@contextmanager
def _place(access: Access, *, keep: bool = False) -> Iterator[Place]:
    """Give a place to measure in that nobody else uses, and leave nothing there, or with ``keep`` everything."""
    dsn, schema = access.dsn, access.settings.postgresql.schema_name
    statements = Statements(schema)
    watching = session_dsn(dsn, name="riverrun/bench", session={"statement_timeout": "0"})
    with Client(dsn, schema=schema) as client, psycopg.connect(watching, autocommit=True) as conn:
        place = Place(client, conn, statements)
        statements.run_sync(conn, store.check_free(QUEUE))
        if keep:
            yield place
            return
        statements.run_sync(conn, store.sweep(QUEUE))
        try:
            yield place
        finally:
            statements.run_sync(conn, store.sweep(QUEUE))


def _executors(access: Access, processes: int, slots: int) -> Any:
    schema = access.settings.postgresql.schema_name
    return running(access.dsn, queue=QUEUE, schema=schema, processes=processes, slots=slots)


def _measure(  # noqa: PLR0913 - what every measurement is given
    mode: str,
    place: Place,
    measure: Callable[..., Figures],
    *,
    steps: int | None,
    repeat: int,
    plot: Path | None,
    output: str,
    **given: object,
) -> None:
    """Run ``measure`` several times and write what it found."""
    watch = machine.CpuWatch([os.getpid(), machine.server_process(place.conn)])
    runs = []
    for number in range(repeat):
        with _progress(f"{mode} {number + 1}/{repeat}", steps) as advance:
            runs.append(measure(advance=advance))
    conditions = {**given, "machine": machine.facts(), "postgresql": machine.server_facts(place.conn)}
    report.write(mode, runs, conditions, shares=watch.shares(), output=output)
    if plot is not None:
        report.draw(plot, mode, runs)


@contextmanager
def _progress(what: str, steps: int | None) -> Iterator[Advance]:
    """Give a function that moves a bar on the terminal, if there is one."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    # Imported here: only a terminal pays for it.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=steps)
        yield lambda count: progress.advance(task, count)
