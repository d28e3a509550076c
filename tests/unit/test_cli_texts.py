"""The help of every command in Chinese: nothing is missing, nothing left over, and lines end where a terminal does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from riverrun.job import JobState
from riverrun.translation import catalogue_texts
from riverrun_cli.language import CHINESE, language_of, root_options, width, wrapped
from riverrun_cli.main import COMMANDS, queuectl
from support.names import ROOT
from support.sentences import said_by

TEXTS = catalogue_texts("riverrun_cli", CHINESE)
WORDS = {"Usage: ", "Options", "Commands", "Show this message and exit.", "required", "default: {}"}
"""What click says by itself in a help."""

REFUSALS = {
    "No such option {}.", "No such option {}. Did you mean {}?", "No such option {}. (Did you mean one of: {}?)",
    "No such command {}.", "No such command {}. Did you mean {}?", "No such command {}. (Did you mean one of: {}?)",
    "Missing command.", "Missing argument {}.", "Missing option {}.", "Got unexpected extra argument ({})",
    "Got unexpected extra arguments ({})", "Option {} requires an argument.", "Option {} does not take a value.",
    "Invalid value for {}: {}", "Invalid value for {}: {} is not a valid integer.",
    "Invalid value for {}: {} is not a valid float.", "Invalid value for {}: {} is not a valid integer range.",
    "Invalid value for {}: {} is not a valid float range.", "Invalid value for {}: {} is not in the range {}.",
    "Invalid value for {}: {} is not one of {}.", "Invalid value for {}: {}: No such file or directory",
    "Invalid value for {}: {} is not allowed; expected a version from 0 to {}",
}  # fmt: skip
"""What click says of words that it does not understand; the last one is said through it."""

EXPLAINED = {
    "the database cannot be reached: {}", "the database refused it: {}", "unexpected {}: {}",
    "`queuectl -v …` shows where it happened",
}  # fmt: skip
"""What is said of errors of the driver and of those that nobody expected."""


STATEMENT = re.compile(r"(?:[A-Z]{4,} (?!.*; then )[^…]*;)$")
"""What mends a finding without a word to read."""

PARTS = {
    "this is a pooler: point database_url at PostgreSQL itself; producers may keep the pooler",
    "start PostgreSQL, or correct database_url: queuectl config show",
    "process {} of user {} ({}, {}) has a transaction open for {}",
    "process {} of user {} ({}, {}) has a transaction open for {}, its statement begins {}",
    "process {} of user {} ({}, {}) has a transaction open since {} transactions",
    "process {} of user {} ({}, {}) has a transaction open since {} transactions, its statement begins {}",
    "the prepared transaction {} of user {} has a transaction open for {}",
    "the prepared transaction {} of user {} has a transaction open since {} transactions",
    "a standby ({}, process {}) reports an old query",
    "the {} replication slot {} stands {} transactions back",
    "end the long query on the standby, or there: ALTER SYSTEM SET hot_standby_feedback = off",
    "SELECT pg_drop_replication_slot({}); if its standby will not come back",
    "every claim sorts all waiting jobs of its queue",
    "every promotion reads all jobs that wait for their time",
    "correct it, then: queuectl config check",
    "schema {} has Riverrun's tables at version {} of {}; this release works on them, the next one may not",
    "behind", "ahead of",
}  # fmt: skip
"""Findings of the doctor, and what mends them, as far as they do not stand where they are made."""


def _commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(found)


def _said() -> set[str]:
    """Return everything that a help can say."""
    said = {command.summary for command in COMMANDS.values()}
    for command in _commands(queuectl):
        paragraphs = (command.help or "").strip().split("\n\n")
        said.update(" ".join(each.split()) for each in paragraphs if not each.lstrip().startswith("\b"))
        said.add(command.get_short_help_str(1_000))
        said.update(each.help for each in command.params if isinstance(each, click.Option) and each.help)
    return said


def _said_in_code() -> set[str]:
    """Return what commands say beside their help: states by their names, what is given to ``say``, and findings."""
    files = sorted(Path(ROOT, "cli").rglob("*.py"))
    said = {text for file in files for text in said_by("say", file)}
    judges = ("error", "warning", "severe")
    found = {text for file in files for judge in judges for text in said_by(judge, file, slice(1, None))}
    return {str(state) for state in JobState} | said | {text for text in found if not STATEMENT.match(text)}


def test_whatever_is_said_has_its_chinese_text_and_nothing_else_has_one() -> None:
    known = {text.replace("{+}", "{}") for text in TEXTS}
    said = _said() | _said_in_code()

    assert (said | PARTS) - known == set()
    assert known - said - WORDS - REFUSALS - EXPLAINED - PARTS == set()


def test_a_chinese_text_has_the_places_of_its_english_one() -> None:
    for text, said in TEXTS.items():
        assert len(re.findall(r"{\d*}", said)) == len(re.findall(r"{\+?}", text)), text


def test_groups_of_commands_are_summed_up_as_their_own_help_does() -> None:
    groups = [each for each in _commands(queuectl) if isinstance(each, click.Group) and each is not queuectl]

    said = {group.name: (group.help or "").partition("\n")[0] for group in groups}

    assert said == {name: COMMANDS[name].summary for name in said if name is not None}


@pytest.mark.parametrize(
    ("words", "environment", "language"),
    [
        (["--lang", "zh", "job"], {}, CHINESE),
        (["--lang=zh", "job"], {"LANG": "en_US.UTF-8"}, CHINESE),
        (["--lang", "en", "job"], {"LANG": "zh_CN.UTF-8"}, "en"),
        (["job", "--lang", "zh"], {}, "en"),
        (["-v", "job"], {"LANG": "zh_CN.UTF-8"}, CHINESE),
        (["job"], {"LC_ALL": "C.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        (["job"], {"LC_ALL": "", "LC_MESSAGES": "zh_TW", "LANG": "C"}, CHINESE),
        ([], {}, "en"),
    ],
)
def test_the_language_is_the_one_asked_for_else_that_of_the_environment(
    words: Sequence[str], environment: dict[str, str], language: str
) -> None:
    assert language_of(root_options(words), environment) == language


@pytest.mark.parametrize("columns", [20, 33, 60])
def test_a_line_ends_before_the_columns_do(columns: int) -> None:
    for text in TEXTS.values():
        lines = wrapped(text, columns)

        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        for line in lines:
            unbroken = max(map(len, line.split(" ")))
            assert width(line) <= columns + 2 or unbroken > columns // 3, line
