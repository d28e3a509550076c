"""The texts of the pages: the same keys in every language, each used, none missing."""

from __future__ import annotations

import re
from importlib.resources import files
from string import Formatter

import pytest

from riverrun.job import JobState
from riverrun.store.listing import Count
from riverrun_admin.pages import formats
from riverrun_admin.pages.render import NAVIGATION, NOTICES
from riverrun_admin.pages.texts import LANGUAGES, catalog, translator

PACKAGE = files("riverrun_admin")


def _used() -> set[str]:
    """Return the keys that templates and code name."""
    templates = "".join(file.read_text() for file in (PACKAGE / "templates").iterdir())
    named = set(
        re.findall(r"""text\(['"]([\w.-]+)['"][,)]""", templates + (PACKAGE / "pages" / "formats.py").read_text())
    )
    named |= {f"state.{state}" for state in JobState} | {f"notice.{notice}" for notice in NOTICES}
    named |= {f"nav.{name}" for name, _ in NAVIGATION} | {f"language.{name}" for name in LANGUAGES}
    named |= {f"job.{name}" for name in ("kind", "queue", "tag", "id")}
    named |= {f"unit.{name}" for name in ("ms", "s", "min", "h", "d")}
    return named | {"schedule.source.config", "schedule.source.api"}


def test_languages_have_the_same_keys_and_places_to_fill() -> None:
    english, chinese = (catalog(language) for language in LANGUAGES)

    assert english.keys() == chinese.keys()
    for key, text in english.items():
        filled, also = ({name for _, name, _, _ in Formatter().parse(each) if name} for each in (text, chinese[key]))
        assert filled == also, key
        assert text.strip()
        assert chinese[key].strip()


def test_every_text_is_used_and_none_is_missing() -> None:
    assert {key for key in catalog("en") if not key.startswith("problem.")} == _used()


def test_every_problem_is_explained() -> None:
    code = "".join(file.read_text() for folder in ("", "routes", "pages") for file in (PACKAGE / folder).iterdir()
                   if file.name.endswith(".py"))  # fmt: skip
    in_a_call = re.findall(r'Problem\(\s*(?:\d{3}|error\.status),\s*"([a-z-]+)"', code)
    in_the_table = re.findall(r', \d{3}, "([a-z-]+)"\)', code)
    raised = {*in_a_call, *in_the_table}

    assert raised == {key.removeprefix("problem.") for key in catalog("en") if key.startswith("problem.")}


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "–"),
        (0, "0 ms"),
        (0.0874, "87 ms"),
        (1, "1.0 s"),
        (42, "42 s"),
        (90, "2 min"),
        (7200, "2 h"),
        (2e5, "2 d"),
        (1e9, "11,574 d"),
    ],
)
def test_a_length_of_time_is_shown_in_its_largest_fitting_unit(seconds: float | None, shown: str) -> None:
    assert formats.spans(translator("en"))(seconds) == shown


def test_numbers_say_when_they_are_not_exact() -> None:
    assert formats.number(Count(1234, "eq")) == "1,234"
    assert formats.number(Count(10_000, "gte")) == "10,000+"
    assert formats.number(Count(5000, "approx")) == "≈ 5,000"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{}", "{}"),
        ('{"a": [], "b": {}}', '{\n  "a": [],\n  "b": {}\n}'),
        ('{"a": "x, [y] {z}: \\" "}', '{\n  "a": "x, [y] {z}: \\" "\n}'),
        ("[1.10, -2e5, null]", "[\n  1.10,\n  -2e5,\n  null\n]"),
    ],
)
def test_json_is_broken_into_lines_and_otherwise_left_alone(text: str, shown: str) -> None:
    assert formats.indented(text) == shown
