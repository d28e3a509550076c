"""The texts of the pages: the same keys in every language, each used, none missing."""

from __future__ import annotations

import re
from importlib.resources import files
from string import Formatter
from typing import get_args

import pytest

from riverrun.access import TOKEN_ROLES
from riverrun.job import JobState
from riverrun.schedule import MISSED
from riverrun.store.bulk_operations import ACTIONS
from riverrun.store.figures import PERIODS
from riverrun.store.horizon import What
from riverrun.store.listing import Count
from riverrun.store.registry import BreakerState
from riverrun_admin.pages import formats
from riverrun_admin.pages.figures import OUTCOMES
from riverrun_admin.pages.render import NAVIGATION
from riverrun_admin.pages.texts import LANGUAGES, catalog, translator
from riverrun_admin.pages.view import CHOICES

PACKAGE = files("riverrun_admin")


# Keys of which code makes the last part: text("state." ~ state), text(f"unit.{name}").
MADE = r"""text\((?:'|"|f")((?:[\w-]+\.)+)(?:['"] ~|\{)"""
SCRIPTS = r"""text\((?:'|"|`)([\w.-]+)"""


def _read(folder: str, ending: str) -> str:
    return "".join(file.read_text() for file in (PACKAGE / folder).iterdir() if file.name.endswith(ending))


def _used() -> tuple[set[str], tuple[str, ...]]:
    """Return the keys that templates, code and modules name, and the beginnings of those that they make."""
    pages, scripts = _read("templates", ".html") + _read("pages", ".py"), _read("static", ".js")
    named = set(re.findall(r"""text\(['"]([\w.-]+)['"][,)]""", pages)) | set(re.findall(r'"(keys\.\w+)"', scripts))
    named |= {key for key in re.findall(SCRIPTS, scripts) if not key.endswith(".")} - {"live.", "unit."}
    return named, (*re.findall(MADE, pages), "live.", "unit.")


def test_languages_have_the_same_keys_and_places_to_fill() -> None:
    english, chinese = (catalog(language) for language in LANGUAGES)

    assert english.keys() == chinese.keys()
    for key, text in english.items():
        filled, also = ({name for _, name, _, _ in Formatter().parse(each) if name} for each in (text, chinese[key]))
        assert filled == also, key
        assert text.strip()
        assert chinese[key].strip()


def test_every_text_is_used_and_none_is_missing() -> None:
    named, beginnings = _used()

    assert named - catalog("en").keys() == set()
    assert {key for key in catalog("en") if key not in named and not key.startswith(beginnings)} == set()


def test_every_section_state_and_choice_has_its_text() -> None:
    made = {f"nav.{name}" for name, _, _ in NAVIGATION} | {f"state.{state}" for state in JobState}
    made |= {f"view.{name}.{value}" for name in ("theme", "lang", "zone") for value in CHOICES[name]}
    made |= {f"period.{period.name}" for period in PERIODS} | {f"outcome.{outcome}" for outcome in OUTCOMES}
    made |= {f"schedule.missed.{each}" for each in MISSED} | {f"role.{role}" for role in TOKEN_ROLES}
    made |= {f"bulk.action.{action}" for action in ACTIONS}
    made |= {f"bulk.state.{state}" for state in ("running", "done", "aborted", "failed")}
    made |= {f"handler.breaker.{state}" for state in get_args(BreakerState)}

    made |= {f"alert.{name}" for name in ("unserved", "discarded", "down", "paused", "late")}
    made |= {f"alert.pinned_{what}" for what in get_args(What)}
    made |= {f"bulk.{part}.{action}" for part in ("ask", "do", "needs") for action in ACTIONS}

    assert made - catalog("en").keys() == set()


def test_every_problem_is_explained() -> None:
    code = "".join(_read(folder, ".py") for folder in (".", "routes", "pages", "forms"))
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
