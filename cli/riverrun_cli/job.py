"""``queuectl job``: look after jobs, directly in the database, so that it works without a daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import click

from riverrun_cli.bulk import act_instead, filter_options
from riverrun_cli.database import Access, with_database
from riverrun_cli.inputs import confirm, ids_of, moment_of, named, yes_option
from riverrun_cli.job_change import edit, move, reprioritize, run, snooze
from riverrun_cli.job_each import write_each
from riverrun_cli.job_enqueue import enqueue
from riverrun_cli.job_import import import_jobs
from riverrun_cli.language import say
from riverrun_cli.noun import NounGroup
from riverrun_cli.options import output_option
from riverrun_cli.output import write_record, write_rows
from riverrun_cli.writing import write

if TYPE_CHECKING:
    from riverrun import Client, Job
    from riverrun.database.statements import Steps
    from riverrun.masking import Mask
    from riverrun.store.listing import Page

_COLUMNS = ("id", "state", "kind", "queue", "priority", "attempt", "max_attempts", "scheduled_at")
_WIDE = ("tags", "created_at", "attempted_at", "finalized_at", "last_error")
_LONGEST_PAGE = 1_000


@click.group(cls=NounGroup)
def job() -> None:
    """Enqueue, list, change, cancel, retry and delete jobs."""


job.add_command(enqueue)
job.add_command(import_jobs)
for changing in (run, snooze, reprioritize, move, edit):
    job.add_command(changing)


@job.command(name="list")
@click.option("-s", "--state", multiple=True, help="State such as available; may be repeated, as all filters.")
@click.option("-q", "--queue", multiple=True, help="Queue.")
@click.option("--kind", multiple=True, help="Kind.")
@click.option("--tag", multiple=True, help="Tag.")
@click.option("--all-tags", "tags_all", metavar="TAG", multiple=True, help="Tag; of these a job must have every one.")
@click.option("--metadata", metavar="JSON", help="Object that the job's metadata contains.")
@click.option("--id", multiple=True, type=int, help="Id.")
@click.option("--priority", multiple=True, type=int, help="1 (first) to 9.")
@click.option("--created-after", metavar="TIME", help="Enqueued at this time or later.")
@click.option("--created-before", metavar="TIME", help="Enqueued before this time.")
@click.option("--order", type=click.Choice(["newest", "oldest"]), help="By id; otherwise as the states are looked for.")
@click.option("--filter", "filter_text", help="Terms such as 'state:discarded kind:email created:>-1h args.user:7'.")
@click.option("--limit", default=50, show_default=True, help="1 to 1000.")
@click.option("--cursor", help="Where the next page begins, as the page before said.")
@click.option("--all", "everything", is_flag=True, help="All of them, however many.")
@output_option
@with_database
def list_jobs(
    access: Access,
    /,
    *,
    limit: int,
    cursor: str | None,
    everything: bool,
    output: str,
    filter_text: str | None,
    **filters: Any,
) -> None:
    """List jobs; what was left out is told on stderr."""
    from riverrun import operations  # noqa: PLC0415 - the help does not wait for the driver

    with named(tags_all="--all-tags"):
        for name in ("created_after", "created_before"):
            filters[name] = moment_of(filters[name], name)
        steps = operations.pages(cast("operations.ListFilters", filters), filter_text)
        with access.client() as client:
            first = client.run(steps(_LONGEST_PAGE if everything else limit, cursor))
            found = _all(client, first, steps) if everything else iter(first.jobs)
            write_rows(_rows(found, access.mask), columns=_COLUMNS, output=output, wide=_WIDE)
    if first.next_cursor and not everything:
        click.echo(say(f"more: --cursor {first.next_cursor}"), err=True)


def _all(client: Client, page: Page, steps: Callable[[int, str | None], Steps[Page]]) -> Iterator[Job]:
    """Return the jobs of ``page`` and of all pages after it."""
    yield from page.jobs
    while page.next_cursor is not None:
        page = client.run(steps(_LONGEST_PAGE, page.next_cursor))
        yield from page.jobs


def _rows(jobs: Iterator[Job], mask: Mask) -> Iterator[dict[str, object]]:
    return (_row(mask.job(job)) for job in jobs)


@job.command
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@output_option
@with_database
def get(access: Access, /, *, ids: tuple[str, ...], output: str) -> None:
    """Show jobs whole."""
    wanted = ids_of(ids)
    mask = access.mask
    with access.client() as client:
        if len(wanted) == 1:
            write_record(_document(mask.job(client.get(wanted[0]))), output=output)
        else:
            write_each(
                wanted,
                lambda job_id: _document(mask.job(client.get(job_id))),
                columns=_COLUMNS,
                output=output,
                wide=_WIDE,
            )


@job.command
@click.argument("ids", metavar="[ID...]", nargs=-1)
@filter_options
@yes_option
@output_option
@with_database
def cancel(access: Access, /, *, ids: tuple[str, ...], yes: bool, output: str, **filtered: Any) -> None:
    """Cancel jobs; those that run are asked to stop and stay running until they do."""
    from riverrun import operations  # noqa: PLC0415 - the help does not wait for the driver

    if act_instead(access, "cancel", ids, yes=yes, output=output, **filtered):
        return
    wanted = ids_of(ids)
    with access.client() as client:

        def one(job_id: int) -> dict[str, object]:
            result = write(client, operations.cancel(job_id), "job.cancel", f"job:{job_id}")
            return {"id": job_id, "state": result.state, "state_before": result.state_before}

        write_each(wanted, one, columns=("id", "state", "state_before"), output=output)


@job.command
@click.argument("ids", metavar="[ID...]", nargs=-1)
@filter_options
@yes_option
@output_option
@with_database
def retry(access: Access, /, *, ids: tuple[str, ...], yes: bool, output: str, **filtered: Any) -> None:
    """Make jobs available now, with one more attempt where all were used."""
    from riverrun import operations  # noqa: PLC0415 - the help does not wait for the driver

    if act_instead(access, "retry", ids, yes=yes, output=output, **filtered):
        return
    wanted = ids_of(ids)
    with access.client() as client:

        def one(job_id: int) -> dict[str, object]:
            job = write(client, operations.retry(job_id), "job.retry", f"job:{job_id}")
            return _row(access.mask.job(job))

        write_each(wanted, one, columns=_COLUMNS, output=output, wide=_WIDE)


@job.command
@click.argument("ids", metavar="[ID...]", nargs=-1)
@filter_options
@yes_option
@output_option
@with_database
def delete(access: Access, /, *, ids: tuple[str, ...], yes: bool, output: str, **filtered: Any) -> None:
    """Delete jobs that do not run."""
    from riverrun import operations  # noqa: PLC0415 - the help does not wait for the driver

    if act_instead(access, "delete", ids, yes=yes, output=output, **filtered):
        return
    wanted = ids_of(ids)
    confirm(say("Delete 1 job?") if len(wanted) == 1 else say(f"Delete {len(wanted)} jobs?"), yes=yes)
    with access.client() as client:

        def one(job_id: int) -> dict[str, object]:
            write(client, operations.delete(job_id), "job.delete", f"job:{job_id}")
            return {"id": job_id, "deleted": True}

        write_each(wanted, one, columns=("id", "deleted"), output=output)


def _row(job: Job) -> dict[str, object]:
    """Return a job as lists have it."""
    return {
        "id": job.id,
        "state": job.state,
        "kind": job.kind,
        "queue": job.queue,
        "priority": job.priority,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "scheduled_at": job.scheduled_at,
        "created_at": job.created_at,
        "attempted_at": job.attempted_at,
        "finalized_at": job.finalized_at,
        "tags": job.tags,
        "last_error": job.errors[-1].error if job.errors else None,
        "args": job.args,
    }


def _document(job: Job) -> dict[str, object]:
    """Return a job whole."""
    errors = [
        {"at": error.at, "attempt": error.attempt, "error": error.error, "trace": error.trace} for error in job.errors
    ]
    return {
        **_row(job),
        "metadata": dict(job.metadata),
        "errors": errors,
        "attempted_by": job.attempted_by,
        "unique_key": job.unique_key.hex() if job.unique_key else None,
    }
