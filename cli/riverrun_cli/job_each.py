"""Does something to each of some jobs, and tells of the ones that refused it after those that did not."""

from __future__ import annotations

from collections.abc import Callable

import click

from riverrun_cli.language import tell
from riverrun_cli.output import write_rows


def write_each(
    ids: list[int],
    action: Callable[[int], dict[str, object]],
    *,
    columns: tuple[str, ...],
    output: str,
    wide: tuple[str, ...] = (),
) -> None:
    """Do something to each job and write what became of it; refusals are told then, and the last is raised."""
    from riverrun.errors import Conflict, NotFound  # noqa: PLC0415 - the help does not wait for it

    rows: list[dict[str, object]] = []
    refusals: list[Exception] = []
    for job_id in ids:
        try:
            rows.append(action(job_id))
        except (Conflict, NotFound) as refusal:
            refusals.append(refusal)
    if rows:
        write_rows(rows, columns=columns, output=output, wide=wide)
    for told in refusals[:-1]:
        click.echo(tell(str(told)), err=True)
    if refusals:
        raise refusals[-1]
