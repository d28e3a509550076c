"""A release of earlier days, built from the history of this checkout, to be run beside the present one."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

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
    source, built, installed = folder / "source", folder / "built", folder / "installed"
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(source, filter="data")
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
