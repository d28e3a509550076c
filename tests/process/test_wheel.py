"""The wheel is whole: what is installed from it works without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "riverrun",
    "riverrun_admin",
    "riverrun_cli",
    "riverrun_executor",
    "riverrun_scheduler",
    "riverrun_supervisor",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and give the folder it was unpacked in."""
    built = tmp_path_factory.mktemp("built")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)], cwd=ROOT, check=True, timeout=50
    )
    (wheel,) = built.glob("riverrun-*.whl")
    target = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def python(installed: Path, *arguments: str, cwd: Path) -> str:
    """Run Python where the unpacked wheel comes before every other place, and return what it prints."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_package_is_in_the_wheel_with_its_types(installed: Path, tmp_path: Path) -> None:
    for package in PACKAGES:
        home = python(installed, "-c", f"import {package}; print({package}.__file__)", cwd=tmp_path)

        assert Path(home.strip()).parent == installed / package
        assert (installed / package / "py.typed").exists()


def test_no_test_and_no_example_of_the_checkout_is_in_the_wheel(installed: Path) -> None:
    top = {path.name for path in installed.iterdir()}

    assert top == {*PACKAGES, *(path.name for path in installed.glob("riverrun-*.dist-info"))}


def test_the_statements_and_the_example_configuration_come_along(installed: Path, tmp_path: Path) -> None:
    queuectl = "from riverrun_cli.main import main; main()"

    script = python(installed, "-c", queuectl, "migrate", "sql", cwd=tmp_path)
    python(installed, "-c", queuectl, "config", "init", cwd=tmp_path)

    assert script == (ROOT / "sql" / "init-river-postgresql.sql").read_text()
    assert (tmp_path / "config.yaml").read_text() == (ROOT / "config.example.yaml").read_text()
    assert {path.name for path in (installed / "riverrun" / "sql" / "queries").rglob("*.sql")} == {
        path.name for path in (ROOT / "sql" / "queries").rglob("*.sql")
    }


def test_pages_of_the_admin_process_come_along(installed: Path) -> None:
    for folder in ("templates", "static", "locale"):
        here = {path.name for path in (ROOT / "admin_api" / "riverrun_admin" / folder).rglob("*") if path.is_file()}

        assert {path.name for path in (installed / "riverrun_admin" / folder).rglob("*") if path.is_file()} == here
