"""The systems that are compared, their releases, and how each gets an environment of its own.

Environments are made on demand with pip and npm in a cache folder, and kept there for the next run.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PEERS = Path(__file__).parent / "peers"
OURS = "riverrun"
_NODE = "node@24"
_NODE_NEEDED = (22, 18)


class Unavailable(Exception):
    """A system cannot be measured here; the message says why."""


@dataclass(frozen=True)
class System:
    """One job queue.

    Attributes:
        name: Shown, and part of file and database names.
        language: Whose environment it needs.
        packages: What is installed there, releases pinned.
        share: The part of all jobs that it is given where it would take minutes otherwise.
        pinned: Whether it is fast enough for the long measurement with a pinned horizon.
        python: Least version of Python.
    """

    name: str
    language: Literal["ours", "python", "node", "go"]
    packages: tuple[str, ...] = ()
    share: float = 1.0
    pinned: bool = True
    python: tuple[int, int] = (3, 11)

    @property
    def identifier(self) -> str:
        """The name with underscores."""
        return self.name.replace("-", "_")


SYSTEMS = (
    System(OURS, "ours"),
    System("graphile-worker", "node", ("graphile-worker@0.18.0",)),
    System("pg-boss", "node", ("pg-boss@12.38.0",)),
    System("river", "go"),
    System("pgqueuer", "python", ("pgqueuer[asyncpg]==1.6.0", "uvloop")),
    System("awa-pg", "python", ("awa-pg==0.6.9",)),
    System("chancy", "python", ("chancy==0.26.0", "psycopg[binary]", "uvloop"), share=0.25, pinned=False),
    System("oban", "python", ("oban==0.7.0",), share=0.1, pinned=False, python=(3, 12)),
    System(
        "procrastinate", "python", ("procrastinate==3.10.0", "psycopg[binary,pool]", "uvloop"), share=0.05, pinned=False
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Environment:
    """How the driver of a system is started."""

    command: tuple[str, ...]
    variables: dict[str, str]


def prepare(system: System) -> Environment:
    """Return how to start the driver of ``system``, after making its environment if it is not there yet.

    Raises:
        Unavailable: It cannot be made here.
    """
    python_path = {"PYTHONPATH": str(PEERS)}
    match system.language:
        case "ours":
            return Environment((sys.executable, _script(system, "py")), python_path)
        case "python":
            return Environment((str(_virtualenv(system) / "bin" / "python"), _script(system, "py")), python_path)
        case "node":
            folder = _npm(system.packages)
            return Environment((_node(), _script(system, "mjs")), {"BENCH_MODULES": str(folder)})
        case "go":
            return Environment((_built(system),), {})


def cache_folder() -> Path:
    """Return where environments are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("RIVERRUN_BENCH_CACHE") or Path(base, "riverrun-bench"))


def _built(system: System) -> str:
    """Return the program that somebody built from the driver in Go, whose modules no registry here would bring."""
    variable = f"RIVERRUN_BENCH_{system.identifier.upper()}_GO"
    program = os.environ.get(variable)
    if program is None:
        raise Unavailable(f"{variable} does not name a program built from {_script(system, 'go')}")
    if not os.access(program, os.X_OK):
        raise Unavailable(f"{variable} names {program}, which is not a program")
    return program


def _script(system: System, ending: str) -> str:
    return str(PEERS / f"{system.identifier}_peer.{ending}")


def _virtualenv(system: System) -> Path:
    folder = _folder(system.packages)
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run(_python(system.python), "-m", "venv", str(folder))
        _run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *system.packages)
        (folder / "ready").touch()
    return folder


def _python(least: tuple[int, int]) -> str:
    """Return an interpreter of at least the version ``least``."""
    versions = [f"python3.{minor}" for minor in range(14, 10, -1)]
    managed = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"), reverse=True)
    found = [shutil.which(name) for name in versions]
    check = f"import sys; sys.exit(sys.version_info < {least})"
    for candidate in [sys.executable, *filter(None, found), *map(str, managed)]:
        if subprocess.run([candidate, "-c", check], capture_output=True, check=False).returncode == 0:
            return candidate
    raise Unavailable(f"no Python {least[0]}.{least[1]} or newer is installed")


def _npm(packages: tuple[str, ...]) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed")
    folder = _folder(packages)
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true}')
        _run(npm, "install", "--no-audit", "--no-fund", "--loglevel=error", *packages, folder=folder)
        (folder / "ready").touch()
    return folder


def _node() -> str:
    """Return a Node.js that the packages accept: the installed one, or one that npm brings."""
    installed = shutil.which("node")
    if installed is not None:
        said = subprocess.run([installed, "--version"], capture_output=True, text=True, check=True).stdout
        major, minor, *_ = said.strip().removeprefix("v").split(".")
        if (int(major), int(minor)) >= _NODE_NEEDED:
            return installed
    return str(_npm((_NODE,)) / "node_modules" / ".bin" / "node")


def _folder(packages: tuple[str, ...]) -> Path:
    digest = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:8]
    name = packages[0].partition("=")[0].partition("[")[0].partition("@")[0]
    return cache_folder() / f"{name}-{digest}"


def _run(*command: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise Unavailable(f"{Path(command[0]).name} failed: {last}")
