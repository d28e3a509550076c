"""Writes the migrations as one script for ``psql``, for people who load their schemas with it.

``sql/init-river-postgresql.sql`` is this text; a test keeps the two equal.
"""

from __future__ import annotations

import re

from riverrun.database.migration_files import (
    Migration,
    checked_schema,
    checked_version,
    history_table,
    numbered,
    river_tables,
)

_HEAD = """\
-- River's tables and Riverrun's own, for an empty database:
--
--     psql -d river_queue -f init-river-postgresql.sql
--
-- The same schema as `queuectl migrate up` makes, which afterwards finds nothing to do. Where one of the tables
-- exists already, it stops at the first statement and changes nothing; use `queuectl migrate up` there.
-- Written by `queuectl migrate sql` from sql/migrations; change those, not this.
\\set ON_ERROR_STOP on
BEGIN;
"""


def script(schema: str | None = None, *, to: int | None = None) -> str:
    """Return the script that makes version ``to``, the latest without one, in ``schema``.

    Raises:
        InvalidInput: There is no such version, or ``schema`` is not a name that River's clients can use.
    """
    target = checked_version(to)
    parts = [_HEAD]
    if schema is not None:
        name = checked_schema(schema)
        parts.append(f'CREATE SCHEMA IF NOT EXISTS "{name}";\nSET LOCAL search_path = "{name}";\n')
    parts.append(_part(river_tables()))
    if target:
        parts.append(_part(history_table()))
    for step in numbered()[:target]:
        record = f"INSERT INTO riverrun_migration (version, name) VALUES ({step.version}, '{step.name}');\n"  # noqa: S608  # a file's name of ours
        parts.append(_part(step) + "\n" + record)
    return "\n".join([*parts, "COMMIT;\n"])


def _part(step: Migration) -> str:
    """Return a step's text for one transaction over tables that nobody uses yet."""
    text = re.sub(r"\A-- no transaction.*\n", "", step.up.text)
    if not step.up.in_transaction:
        text = re.sub(r"^--   locks:.*\n", "", text, flags=re.MULTILINE)
    return f"-- {step.name}\n" + re.sub(r"INDEX CONCURRENTLY IF (NOT )?EXISTS", "INDEX", text)
