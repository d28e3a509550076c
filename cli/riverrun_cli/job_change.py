"""``queuectl job run``, ``snooze``, ``reprioritize``, ``move`` and ``edit``: change jobs that wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from riverrun.errors import InvalidInput, RiverrunError
from riverrun.json_input import check_args_text
from riverrun.masking import check_shown
from riverrun.names import check_job_id, check_max_attempts, check_priority, check_queue, check_tags
from riverrun_cli.bulk import act_instead, filter_options
from riverrun_cli.database import Access, with_database
from riverrun_cli.inputs import duration_of, ids_of, moment_of, named, text_of, yes_option
from riverrun_cli.job_each import write_each
from riverrun_cli.options import output_option
from riverrun_cli.output import write_record
from riverrun_cli.writing import write

if TYPE_CHECKING:
    from riverrun import Job
    from riverrun.database.statements import Steps
    from riverrun.job import JobState
    from riverrun.store.changing import JobChange

_COLUMNS = ("id", "state")
_OPTIONS = {"args_text": "--args", "scheduled_at": "--at", "tags": "--tag"}


def _of_many(function: Callable[..., None]) -> Callable[..., None]:
    """Add what a command takes that changes jobs by their ids or by a filter."""
    with_options = filter_options(yes_option(output_option(with_database(function))))
    return click.argument("ids", metavar="[ID...]", nargs=-1)(with_options)


@click.command
@_of_many
def run(access: Access, /, *, ids: tuple[str, ...], **given: Any) -> None:
    """Make jobs available now that wait for their time."""
    from riverrun.store import changing  # noqa: PLC0415 - the help does not wait for the driver

    def steps(job_id: int) -> Steps[JobState]:
        outcome = (yield from changing.run_now([job_id]))[job_id]
        if isinstance(outcome, RiverrunError):
            raise outcome
        return outcome

    _each(access, "run", ids, steps, **given)


@click.command
@click.option("--for", "delay", metavar="DURATION", required=True, help="How long from now, such as 90s or 1h30m.")
@_of_many
def snooze(access: Access, /, *, ids: tuple[str, ...], delay: str, **given: Any) -> None:
    """Let jobs wait for a while; no attempt is used."""
    duration = duration_of(delay, "--for")
    assert duration is not None  # noqa: S101 - the option is required
    seconds = duration.total_seconds()
    _each(access, "snooze", ids, _change(delay=seconds), params={"delay_s": seconds}, **given)


@click.command
@click.option("--priority", metavar="N", type=int, required=True, help="1 (first) to 9.")
@_of_many
def reprioritize(access: Access, /, *, ids: tuple[str, ...], priority: int, **given: Any) -> None:
    """Give jobs that wait another priority."""
    checked = check_priority(priority, "--priority")
    _each(access, "reprioritize", ids, _change(priority=checked), params={"priority": checked}, **given)


@click.command
@click.option("--to", "queue", metavar="QUEUE", required=True, help="The queue that they shall wait in.")
@_of_many
def move(access: Access, /, *, ids: tuple[str, ...], queue: str, **given: Any) -> None:
    """Put jobs that wait into another queue."""
    checked = check_queue(queue, "--to")
    _each(access, "move", ids, _change(queue=checked), params={"queue": checked}, **given)


def _each(
    access: Access,
    action: str,
    ids: tuple[str, ...],
    steps: Callable[[int], Steps[JobState]],
    *,
    params: dict[str, Any] | None = None,
    output: str,
    **given: Any,
) -> None:
    """Change the jobs with these ids, or all that the filter names."""
    if act_instead(access, action, ids, output=output, **given, **(params or {})):
        return
    wanted = ids_of(ids)
    with access.client() as client:

        def one(job_id: int) -> dict[str, object]:
            state = write(client, steps(job_id), f"job.{action}", f"job:{job_id}", after=params or {})
            return {"id": job_id, "state": state}

        write_each(wanted, one, columns=_COLUMNS, output=output)


def _change(**wanted: Any) -> Callable[[int], Steps[JobState]]:
    from riverrun.store.changing import JobChange, change_one  # noqa: PLC0415 - as above

    return lambda job_id: change_one(job_id, JobChange(**wanted))


@click.command
@click.argument("job_id", metavar="ID")
@click.option("--args", "args_text", metavar="JSON", help="New arguments: a JSON object, @FILE, or - to read a pipe.")
@click.option("-q", "--queue", help="Queue.")
@click.option("--priority", type=int, help="1 (first) to 9.")
@click.option("--max-attempts", type=int, help="1 to 32767.")
@click.option("--at", "scheduled_at", metavar="TIME", help="Run at this time, such as 2030-01-31T09:00:00Z.")
@click.option("--tag", "tags", multiple=True, help="In the place of all its tags; may be repeated.")
@output_option
@with_database
def edit(access: Access, /, *, job_id: str, output: str, **given: Any) -> None:
    """Change a job that waits; what it was before is kept in the audit log."""
    from riverrun import operations  # noqa: PLC0415 - as above
    from riverrun.store.changing import change_one  # noqa: PLC0415

    checked = check_job_id(job_id, "ID")
    with named(**_OPTIONS):
        wanted, names = _wanted(given)
    with access.client() as client:
        stored = client.get(checked)
        with named(**_OPTIONS):
            check_shown(wanted.args_text or "", "args_text", stored=stored.args_text)
        before = access.mask.job(stored)
        steps = change_one(checked, wanted)
        write(client, steps, "job.edit", f"job:{checked}", before=_shown(before, names))
        after = access.mask.job(client.run(operations.get(checked)))
        write_record({"id": checked, "state": after.state, **_shown(after, names)}, output=output)


def _wanted(given: dict[str, Any]) -> tuple[JobChange, list[str]]:
    """Return what shall be different, and the names of that.

    Raises:
        InvalidInput: Something is not allowed, or nothing is to be changed.
    """
    from riverrun.store.changing import JobChange  # noqa: PLC0415

    checks: dict[str, Callable[[Any, str], object]] = {
        "args_text": lambda value, field: check_args_text(text_of(value, field), field),
        "queue": check_queue,
        "priority": check_priority,
        "max_attempts": check_max_attempts,
        "scheduled_at": moment_of,
        "tags": check_tags,
    }
    said = {name: check(given[name], name) for name, check in checks.items() if given[name] not in (None, ())}
    if not said:
        raise InvalidInput("args_text", None, "something to change: one of the options", code="required")
    return JobChange(**said), list(said)  # type: ignore[arg-type]  # each was checked by its own rule


def _shown(job: Job, names: list[str]) -> dict[str, object]:
    """Return what of a job was, or is, of these names."""
    return {name: getattr(job, name) for name in ("args" if name == "args_text" else name for name in names)}
