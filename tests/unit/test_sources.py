"""Which files handlers were read from, and that an edit of one is seen once."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from riverrun_executor.sources import files_since
from riverrun_supervisor.sources import Sources


def test_the_files_of_the_users_own_are_named_and_what_is_installed_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "its_helper.py").write_text("")
    (tmp_path / "its_handlers.py").write_text("import its_helper, its_other")
    (tmp_path / "its_other.py").write_text("import xml.dom.pulldom")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "xml.dom.pulldom", raising=False)
    known = frozenset(sys.modules)

    importlib.import_module("its_handlers")

    assert files_since(known) == [str(tmp_path / f"{name}.py") for name in ("its_handlers", "its_helper", "its_other")]


def test_an_edit_a_removal_and_a_return_are_each_seen_once(tmp_path: Path) -> None:
    edited, kept = tmp_path / "edited.py", tmp_path / "kept.py"
    edited.write_text("1")
    kept.write_text("1")
    sources = Sources()
    sources.learn([str(edited), str(kept)])
    seen = [sources.changed()]

    edited.write_text("12")
    seen += [sources.changed(), sources.changed()]
    edited.unlink()
    seen += [sources.changed(), sources.changed()]
    edited.write_text("12")
    seen += [sources.changed(), sources.changed()]

    assert seen == [[], [str(edited)], [], [str(edited)], [], [str(edited)], []]


def test_an_edit_between_two_readings_is_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "edited.py"
    file.write_text("1")
    sources = Sources()
    sources.learn([str(file)])

    file.write_text("12")
    sources.learn([str(file)])

    assert sources.changed() == [str(file)]
