"""What exists: settings, metrics, commands, tables, packages and routes, for tests that compare pages with the code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import click

from riverrun.settings import keys
from riverrun.telemetry.metrics import REGISTRY
from riverrun_cli.main import queuectl

ROOT = Path(__file__).parents[2]
VARIABLES_THAT_ARE_NO_SETTINGS = {
    "RIVERRUN_CONFIG",
    "RIVERRUN_TEST_POSTGRES",
    "RIVERRUN_TEST_RIVER_GO",
    "RIVERRUN_TEST_RIVER_UI",
}


def is_setting(path: Sequence[str]) -> bool:
    """Return whether ``path`` is a setting or a section; ``<name>`` or any other name stands for a user's own."""
    return keys.find(path) is not None


def is_variable(name: str) -> bool:
    """Return whether the environment variable ``name`` sets something, itself or as the name of a file."""
    if name in VARIABLES_THAT_ARE_NO_SETTINGS:
        return True
    path = name.removeprefix(keys.ENVIRONMENT_PREFIX).lower().removesuffix("_file").split("__")
    return is_setting(path)


@cache
def metric_names() -> frozenset[str]:
    """Return the names of all samples that ``/metrics`` may show."""
    names: set[str] = set()
    for family in REGISTRY.collect():
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count", "")}.get(family.type, ("",))
        names |= {family.name + ending for ending in endings}
    return frozenset(names)


def metrics_in(text: str) -> set[str]:
    """Return every word of ``text`` that is formed like the name of a metric."""
    return set(re.findall(r"\briverrun_[a-z0-9_]*[a-z0-9]\b", text))


@cache
def tables_and_packages() -> frozenset[str]:
    """Return the names of our tables, indexes and sequences, and of our packages."""
    migrations = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "sql" / "migrations").glob("*.up.sql"))
    packages = {path.parent.name for path in ROOT.glob("*/riverrun_*/__init__.py")}
    return frozenset({*re.findall(r"\briverrun_\w+", migrations), *packages})


def check_command(words: Sequence[str]) -> None:
    """Fail unless ``words``, which begin after ``queuectl``, name a command and only options that it has.

    ``up|down`` stands for each of the words; ``…`` for anything.
    """
    command: click.Command = queuectl
    context = click.Context(queuectl)
    rest = _behind_the_options(queuectl, words)
    while isinstance(command, click.Group):
        names = [word for word in rest if not word.startswith("-") and word != "…"][:1]
        if not names:
            break
        rest.remove(names[0])
        last: click.Command = command
        for name in names[0].split("|"):
            found = command.get_command(context, name)
            assert found is not None, f"there is no command {name!r} in queuectl {' '.join(words)}"
            last = found
        command = last
    given = [word.partition("=")[0] for word in rest if re.match(r"-{1,2}[a-z]", word)]
    unknown = set(given) - set(_options(command)) - set(_options(queuectl)) - {"-h", "--help"}
    assert not unknown, f"queuectl {' '.join(words)}: there are no options {sorted(unknown)}"


def _behind_the_options(group: click.Group, words: Sequence[str]) -> list[str]:
    """Return ``words`` without the options of the group, and their values, that they begin with."""
    options = {name: option for option in group.params for name in option.opts}
    rest = list(words)
    while rest and (option := options.get(rest[0])) is not None:
        del rest[: 1 + (isinstance(option, click.Option) and not option.is_flag and not option.count)]
    return rest


def _options(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
