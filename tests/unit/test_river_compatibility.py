"""The table of River's scenarios tells the truth: every test that it names exists, and both languages say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.names import ROOT

PAGES = [ROOT / "docs" / f"river-compatibility{language}.md" for language in ("", ".zh-CN")]


def rows(page: Path) -> list[tuple[str, str, str]]:
    """Return scenarios, status and tests of each row."""
    table = page.read_text(encoding="utf-8").rpartition("|---|---|---|---|\n")[2]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [(name, status, tests) for name, status, tests, _ in lines]


ROWS = rows(PAGES[0])


def test_both_languages_list_the_same() -> None:
    assert rows(PAGES[1]) == ROWS
    assert len(ROWS) > 80


@pytest.mark.parametrize(("names", "status", "tests"), ROWS, ids=[name for name, _, _ in ROWS])
def test_every_scenario_that_holds_has_a_test_of_its_name(names: str, status: str, tests: str) -> None:
    named = re.findall(r"`([^`]+)`", tests)
    files = [ROOT / "tests" / "river" / f"test_{name}.py" for name in named if not re.search(r"[/ ]", name)]

    assert bool(named) or status != "✔"
    assert [name for name in named if name.startswith("tests/") and not _is_there(name)] == []
    for scenario in names.split(", ") if files else ():
        assert any(f"def test_{scenario}" in file.read_text(encoding="utf-8") for file in files), scenario


def _is_there(test: str) -> bool:
    file, _, name = test.partition("::")
    return f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
