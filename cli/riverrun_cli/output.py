"""Writes answers to stdout: a table for people at a terminal, otherwise text that programs can take apart."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import click

FORMATS = ("table", "wide", "json", "ndjson", "csv", "id")

Row = Mapping[str, object]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
"""A time that is kept as text, such as that of a change."""


def write_rows(
    rows: Iterable[Row], *, columns: Sequence[str], output: str, wide: Sequence[str] = (), identity: str = "id"
) -> None:
    """Write ``rows`` in the form that ``output``, one of `FORMATS`, names.

    Args:
        columns: Names of the columns of ``table``; JSON has every field of a row.
        wide: Further columns of ``wide`` and ``csv``.
        identity: The column that ``id`` writes, one value a line.
    """
    shown = [*columns, *wide] if output in {"wide", "csv"} else list(columns)
    if output == "json":
        click.echo(json.dumps(list(rows), default=_as_json, ensure_ascii=False, indent=2))
    elif output == "ndjson":
        for row in rows:
            click.echo(json.dumps(row, default=_as_json, ensure_ascii=False))
    elif output == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(shown)
        writer.writerows([cell(row.get(name)) for name in shown] for row in rows)
    elif output == "id":
        for row in rows:
            click.echo(cell(row.get(identity)))
    elif sys.stdout.isatty():
        _write_table(rows, shown)
    else:
        click.echo("\t".join(shown))
        for row in rows:
            click.echo("\t".join(cell(row.get(name)) for name in shown))


def write_record(record: Row, *, output: str, identity: str = "id") -> None:
    """Write one object: its fields one a line, or as ``output`` says."""
    if output == "json":
        click.echo(json.dumps(record, default=_as_json, ensure_ascii=False, indent=2))
    elif output in {"table", "wide"}:
        width = max(map(len, record), default=0) if sys.stdout.isatty() else 0
        for name, value in record.items():
            click.echo(f"{name:<{width}}  {cell(value)}" if width else f"{name}\t{cell(value)}")
    else:
        write_rows([record], columns=list(record), output=output, identity=identity)


def cell(value: object) -> str:
    """Return ``value`` as one line without control characters, so that no job can steer a terminal."""
    if isinstance(value, Mapping | list | tuple | bool):
        value = json.dumps(value, default=_as_json, ensure_ascii=False)
    text = "" if value is None else str(_as_json(value)) if isinstance(value, datetime | timedelta) else str(value)
    return text if text.isprintable() else "".join(map(_visible, text))


def _for_people(value: object) -> str:
    """Return a cell of a table on a terminal: times to the second, in two words that may take two lines."""
    if isinstance(value, str) and _TIME.fullmatch(value):
        with suppress(ValueError):  # the thirteenth month is no time
            value = datetime.fromisoformat(value)
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if isinstance(value, datetime) else cell(value)


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def _write_table(rows: Iterable[Row], columns: Sequence[str]) -> None:
    # Imported here: only a table on a terminal pays for it.
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    headings = (name.replace("_", " ") for name in columns)  # two words take two lines where there is no room
    table = Table(box=None, pad_edge=False, header_style="" if plain else "bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")  # nothing of a state or a time is cut off where there is no room
    for row in rows:
        table.add_row(*(Text(_for_people(row.get(name))) for name in columns))
    console = Console(no_color=plain, highlight=False)
    table.collapse_padding = console.measure(table).maximum >= console.width
    console.print(table)
