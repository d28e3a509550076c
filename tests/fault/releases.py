"""Releases to run beside this one: the previous one, from the history of this checkout, and one that follows."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from support.steps import add_step

ROOT = Path(__file__).parents[2]
PREVIOUS = "1cb085f620105f4f3ac71954341507307e4d12db"
"""Stands for the previous release until there is one: the first that works on newer tables than its own."""


def absent() -> str | None:
    """Return why the previous release cannot be built here, and what to do; None when it can."""
    if _git("cat-file", "-e", f"{PREVIOUS}^{{commit}}").returncode == 0:
        return None
    known = _git("rev-parse", "--is-shallow-repository")
    if known.returncode != 0:
        return f"the previous release cannot be built: {known.stderr.strip()}"
    if known.stdout.strip() == "true":
        return "this clone is shallow and lacks the previous release; `git fetch --unshallow` brings it"
    return f"the history of this checkout lacks the previous release, {PREVIOUS[:12]}"


def previous_release(folder: Path) -> Path:
    """Build the wheel of the previous release and return the folder that it was unpacked in."""
    archive = subprocess.run(["git", "archive", PREVIOUS], cwd=ROOT, check=True, capture_output=True, timeout=60).stdout
    source = folder / "source"
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(source, filter="data")
    return _installed(source, folder)


def next_release(folder: Path) -> Path:
    """Build a release that brings along one step more than this checkout and return the folder it was unpacked in."""
    installed = _installed(ROOT, folder)
    add_step(installed / "riverrun" / "sql" / "migrations", needed=False)
    return installed


def _installed(source: Path, folder: Path) -> Path:
    built, installed = folder / "built", folder / "installed"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)], cwd=source, check=True,
        capture_output=True, timeout=120,
    )  # fmt: skip
    (wheel,) = built.glob("riverrun-*.whl")
    with zipfile.ZipFile(wheel) as files:
        files.extractall(installed)
    return installed


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
