"""The whole schema of a database as text, to tell whether two databases are the same."""

from __future__ import annotations

import subprocess

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from riverrun.database.postgres_binaries import wheel_binaries


def dump_schema(dsn: str) -> str:
    """Return what ``pg_dump --schema-only`` says, without what differs from one dump to the next.

    The wheel's pg_dump is the newest at hand; an older one refuses a newer server.
    """
    done = subprocess.run(
        [wheel_binaries().folder / "pg_dump", "--schema-only", "--no-owner", dsn],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    noise = ("--", r"\restrict", r"\unrestrict")
    return "\n".join(line for line in done.stdout.splitlines() if line and not line.startswith(noise))


async def migration_rows(conn: AsyncConnection[TupleRow], schema: str = "public") -> dict[str, list[TupleRow]]:
    """Return which migrations River's and our history say have run."""
    return {
        table: await (
            await conn.execute(
                sql.SQL(f"SELECT {columns} FROM {{}} ORDER BY version").format(sql.Identifier(schema, table))
            )
        ).fetchall()
        for table, columns in (("river_migration", "line, version"), ("riverrun_migration", "version, name"))
    }
