"""``queuectl job import``: a file of any length, one job a line, all of it or nothing, in constant memory."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import click

from riverrun_cli.database import Access, with_database
from riverrun_cli.inputs import duration_of, moment_of
from riverrun_cli.language import say
from riverrun_cli.options import output_option
from riverrun_cli.output import write_record

if TYPE_CHECKING:
    from riverrun.new_job import NewJob
    from riverrun.settings.river import RiverSettings

_LONGEST_LINE = 4 * 1024 * 1024
_REPORT_SECONDS = 10.0
_EVERY_LINES = 1_000
_DECODER = json.JSONDecoder()


@click.command(name="import")
@click.argument("file", type=click.File("rb"))
@output_option
@with_database
def import_jobs(access: Access, /, file: BinaryIO, *, output: str) -> None:
    """Enqueue the jobs of FILE, one JSON object a line, or of a pipe (-): all of them, or none when one is refused.

    \b
    {"kind": "email", "args": {"to": "a@example.com"}, "queue": "mail", "delay": "90s"}

    Other members are priority, scheduled_at, max_attempts, timeout, tags, metadata, pending, and unique with by_args,
    by_period, by_queue, by_state and exclude_kind.
    """
    from riverrun.store import registry  # noqa: PLC0415 - the help does not wait for the driver

    river = access.settings.river
    with access.client() as client, _progress(file) as progress:
        retries = {each.registration.kind: each.registration.retry_count for each in client.run(registry.handlers())}
        lines = enumerate(_lines(file, progress), start=1)
        jobs = (_job(line, number, river, retries) for number, line in lines if line)
        count = client.copy_in(jobs)
    write_record({"enqueued": count}, output=output, identity="enqueued")


def _lines(file: BinaryIO, progress: _Progress) -> Iterator[bytes]:
    """Return the lines without their ends; blank ones are empty."""
    done = read = 0
    while line := file.readline(_LONGEST_LINE + 1):
        if len(line) > _LONGEST_LINE:
            raise click.ClickException(say(f"line {done + 1}: longer than {_LONGEST_LINE} bytes"))
        yield line.strip()
        done, read = done + 1, read + len(line)
        if done % _EVERY_LINES == 0:
            progress.show(done, read)


def _job(line: bytes, number: int, river: RiverSettings, retries: Mapping[str, int | None]) -> NewJob:
    """Return the job of a line, with the defaults of its queue and of the handler of its kind."""
    from riverrun.errors import InvalidInput  # noqa: PLC0415
    from riverrun.job_spec import checked_job  # noqa: PLC0415

    place = f"line {number}"
    try:
        spec = _spec(line)
    except InvalidInput as refusal:
        refusal.rename(f"{place}.{refusal.field}" if refusal.field else place)
        raise
    spec.setdefault("priority", river.priority_of(str(spec.get("queue", "default"))))
    attempts = river.max_attempts_of(retries.get(str(spec.get("kind"))))
    return checked_job(spec, max_attempts=attempts, field=place)  # type: ignore[arg-type]  # checks it


def _spec(line: bytes) -> dict[str, Any]:
    """Return the members of a line as a producer in Python would write them; ``args`` stay the text they are."""
    spec: dict[str, Any] = {}
    for name, text in _members(line):
        value: Any = json.loads(text)
        if name == "args":
            value = text if isinstance(value, dict) else value
        elif name == "scheduled_at":
            value = moment_of(value if value is None else str(value), name)
        elif name in {"delay", "timeout"} and isinstance(value, str):
            value = duration_of(value, name)
        elif name == "unique":
            value = _unique(value)
        spec[name] = value
    return spec


def _members(line: bytes) -> Iterator[tuple[str, str]]:
    """Return the members of the object in ``line``, each value as its text, so that no number loses a digit."""
    from riverrun.errors import InvalidInput  # noqa: PLC0415

    refused = InvalidInput("", "…", "a JSON object in UTF-8", code="format")
    try:
        text = line.decode()
        if not text.startswith("{"):
            raise refused
        place = _after(text, 1)
        while text[place] != "}":
            name, place = _DECODER.raw_decode(text, place)
            place = _after(text, place)
            if not isinstance(name, str) or text[place] != ":":
                raise refused
            start = _after(text, place + 1)
            _, end = _DECODER.raw_decode(text, start)
            yield name, text[start:end]
            place = _after(text, end)
            if text[place] == ",":
                place = _after(text, place + 1)
            elif text[place] != "}":
                raise refused
        if text[place + 1 :]:
            raise refused
    except (ValueError, IndexError, RecursionError) as error:
        raise refused from error


def _after(text: str, place: int) -> int:
    """Return the first place from ``place`` on that is no white space."""
    while text[place] in " \t\r\n":
        place += 1
    return place


def _unique(value: object) -> object:
    from riverrun.errors import InvalidInput  # noqa: PLC0415
    from riverrun.unique import Unique  # noqa: PLC0415

    if value is None:
        return None
    words = ("by_args", "by_period", "by_queue", "by_state", "exclude_kind")
    if not isinstance(value, dict) or (unknown := sorted(set(value) - set(words))):
        raise InvalidInput(
            "unique", unknown if isinstance(value, dict) else value, f"an object with {', '.join(words)}"
        )
    period = value.get("by_period")
    if isinstance(period, str):
        value["by_period"] = duration_of(period, "unique.by_period")
    elif isinstance(period, int | float) and not isinstance(period, bool):
        value["by_period"] = timedelta(seconds=period)
    return Unique(**value)


class _Progress(Protocol):
    """Shows how far an import is."""

    def show(self, lines: int, read: int) -> None:
        """Take the lines and bytes that were read so far."""


class _Report:
    """A line on stderr now and then, where nobody watches a bar."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def show(self, lines: int, read: int) -> None:  # noqa: ARG002 - the bar needs both
        if time.monotonic() - self._last >= _REPORT_SECONDS:
            self._last = time.monotonic()
            click.echo(say(f"{lines} lines read"), err=True)


@contextmanager
def _progress(file: BinaryIO) -> Iterator[_Progress]:
    """Give a bar on a terminal, otherwise reports."""
    if not sys.stderr.isatty():
        yield _Report()
        return
    from riverrun_cli.progress_bar import progress_bar  # noqa: PLC0415

    with progress_bar(file) as bar:
        yield bar
