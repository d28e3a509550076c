"""The requirement locks: complete, pinned with hashes, and free of any host's name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ["requirements.lock", "requirements-dev.lock"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_pinned_names_markers_and_hashes_and_nothing_else(lock: str) -> None:
    requirement = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.+!]*( ; [a-z_]+ [!=<>]+ '[A-Za-z0-9.]+')?( and .*)? \\")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")

    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()

    assert [line for line in lines if not requirement.fullmatch(line) and not digest.fullmatch(line)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_everything_that_running_needs(lock: str) -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    asked = [*PROJECT["project"]["dependencies"], *extras["embedded"], *extras["grpc"]]

    assert _names(asked) - _locked(lock) == set()


def test_the_development_lock_pins_the_tools_and_the_same_versions() -> None:
    development = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8").splitlines()
    runtime = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()

    assert _names(PROJECT["dependency-groups"]["dev"]) - _locked("requirements-dev.lock") == set()
    assert {line for line in runtime if "==" in line} - set(development) == set()


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9_-]", requirement)[0].lower().replace("_", "-") for requirement in requirements}


def _locked(lock: str) -> set[str]:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    return {line.split("==")[0] for line in lines if "==" in line}
