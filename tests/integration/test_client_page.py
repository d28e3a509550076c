"""What the pages for producers and for handlers show is run, in both languages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("client.md", "client.zh-CN.md", "extending.md")


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_every_python_example_of_the_page_runs(database: str, page: str) -> None:
    for block in blocks(page):
        done = subprocess.run(
            [sys.executable, "-c", block],
            env={"PATH": os.environ["PATH"], "DATABASE_URL": database},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"


def test_both_languages_show_the_same_examples() -> None:
    def without_remarks(page: str) -> list[str]:
        return [re.sub(r"\s*#.*", "", block) for block in blocks(page)]

    assert without_remarks(PAGES[0]) == without_remarks(PAGES[1])
    assert len(blocks(PAGES[0])) == 6
