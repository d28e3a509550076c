"""Reads the migrations of ``sql/migrations``, so that the migrator and the script for ``psql`` mean the same ones.

river.{up,down}.sql         River's own tables, recorded by rows of river_migration
history.{up,down}.sql       the table riverrun_migration
NNN_what.{up,down}.sql      Riverrun's line, each recorded by a row of riverrun_migration

Releases that run survive a step, and may be started on what it leaves. One that takes away what an older release needs
says so in its name, by which that release knows as well: after 021_drop_lanes_ends_017 no release works any more whose
own tables are those of 017 or before.

A release also works on tables that lack its newest steps, as long as it does not need them. One that it brings along
for the release that follows says so in its head; a test plans every statement on tables without it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from riverrun.database.sql_files import sql_folder
from riverrun.errors import InvalidInput

OLDEST_RIVER_VERSION = 7
NEWEST_RIVER_VERSION = 8
_NO_TRANSACTION = "-- no transaction"
_AHEAD = "--   needed by: the next release"


@dataclass(frozen=True, slots=True)
class Script:
    """The text of one migration file, in one direction."""

    text: str

    @property
    def in_transaction(self) -> bool:
        """Whether its statements commit together; otherwise each can be repeated after a kill."""
        return not self.text.startswith(_NO_TRANSACTION)

    @property
    def statements(self) -> list[str]:
        """The parts to send one by one: the whole text, or outside a transaction each statement."""
        if self.in_transaction:
            return [self.text]
        bare = re.sub(r"^--.*\n", "", self.text, flags=re.MULTILINE)
        return [part.strip() for part in re.split(r";\s*$", bare, flags=re.MULTILINE) if part.strip()]


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of Riverrun's line, or (version 0) what stands before it."""

    version: int
    name: str
    up: Script
    down: Script

    @property
    def needed(self) -> bool:
        """Whether this release needs it; otherwise it prepares the tables for the one that follows."""
        return _AHEAD not in self.up.text.splitlines()


@cache
def river_tables() -> Migration:
    """Return the step that makes River's own tables."""
    return _read(0, "river")


@cache
def history_table() -> Migration:
    """Return the step that makes the table which records the numbered ones."""
    return _read(0, "history")


@cache
def numbered() -> tuple[Migration, ...]:
    """Return Riverrun's line in ascending order; versions are 1, 2, 3 and so on without a gap."""
    names = sorted(
        entry.name.removesuffix(".up.sql")
        for entry in (sql_folder() / "migrations").iterdir()
        if re.fullmatch(r"\d{3}_\w+\.up\.sql", entry.name)
    )
    return tuple(_read(int(name[:3]), name) for name in names)


def missing_steps(*, has_river: bool, has_history: bool, version: int, to: int) -> tuple[Migration, ...]:
    """Return the steps from what a database has to version ``to``, in order."""
    river = () if has_river else (river_tables(),)
    history = () if has_history or to == 0 else (history_table(),)
    return (*river, *history, *(step for step in numbered() if version < step.version <= to))


def latest() -> int:
    """Return the newest version of Riverrun's tables that this release brings along."""
    return numbered()[-1].version


def oldest() -> int:
    """Return the oldest version of Riverrun's tables that this release works on."""
    return max(step.version for step in numbered() if step.needed)


def checked_version(to: int | None) -> int:
    """Return ``to``, or the latest version for ``None``.

    Raises:
        InvalidInput: There is no such version.
    """
    if to is None:
        return latest()
    if not 0 <= to <= latest():
        raise InvalidInput("to", to, f"a version from 0 to {latest()}")
    return to


def checked_schema(schema: str) -> str:
    """Return ``schema`` if every River client can use it as the name of a PostgreSQL schema.

    River builds channel names from it, hence 46 characters; names with ``pg_`` belong to PostgreSQL.

    Raises:
        InvalidInput: It is not such a name.
    """
    if not re.fullmatch(r"(?!pg_)[A-Za-z_][A-Za-z0-9_]{0,45}", schema):
        allowed = "1 to 46 letters, digits and underscores, not beginning with a digit or pg_"
        raise InvalidInput("schema", schema, allowed, code="format")
    return schema


def _read(version: int, name: str) -> Migration:
    folder = sql_folder() / "migrations"
    up, down = ((folder / f"{name}.{way}.sql").read_text(encoding="utf-8") for way in ("up", "down"))
    return Migration(version, name, Script(up), Script(down))
