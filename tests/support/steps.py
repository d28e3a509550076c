"""Give a release one more step of the tables, as the file that a contributor would write."""

from __future__ import annotations

from pathlib import Path

from riverrun.database.migration_files import latest

ADDED_TABLE = "riverrun_executor"


def add_step(migrations: Path, *, needed: bool) -> str:
    """Write a step behind the newest one, which adds a column, and return its name."""
    name = f"{latest() + 1:03}_add_lanes"
    ahead = "" if needed else "--   needed by: the next release\n"
    for way, change in (("up", "ADD COLUMN lane text"), ("down", "DROP COLUMN lane")):
        text = f"-- Let an executor say which lane it works.\n{ahead}ALTER TABLE {ADDED_TABLE} {change};\n"
        (migrations / f"{name}.{way}.sql").write_text(text, encoding="utf-8")
    return name
