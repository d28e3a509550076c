"""The table says what was measured, also what nobody likes to read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from fault import report
from fault.report import BEGIN, END, Row

pytestmark = pytest.mark.quick

ROW = Row(fault="F1", what="killed", jobs=5, p50=0.1, worst=0.5, target=2.0, counts={"L": 0, "O": 0})


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "kept"),
        ({"worst": 2.5}, "late"),
        ({"counts": {"L": 1, "Z": 2, "S": 0}}, "broken: LZ"),
        ({"worst": None, "p50": None}, "kept"),
    ],
)
def test_the_verdict_follows_from_the_figures(changes: dict[str, object], verdict: str) -> None:
    assert Row(**{**asdict(ROW), **changes}).verdict == verdict


def test_a_run_is_kept_and_becomes_the_table_of_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(report.FOLDER, str(tmp_path))
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "one")
    report.keep(ROW)
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "two")
    report.keep(Row(**{**asdict(ROW), "fault": "D1", "counts": {"O": 1, "K": 2}}))
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")

    assert report.main([str(tmp_path), "--docs", str(page)]) == 0

    lines = page.read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert [line.split("|")[1].strip() for line in lines if line.startswith("| ")] == ["fault", "D1", "F1"]
    assert "| 3       |" in lines[4]
    assert (tmp_path / "matrix.json").exists()
    assert "F1" in capsys.readouterr().out


def test_nothing_is_kept_when_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(report.FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)

    report.keep(ROW)

    assert list(tmp_path.iterdir()) == []
