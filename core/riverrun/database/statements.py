"""Load the SQL files and run them, on an asynchronous or a blocking connection alike.

Everything the product asks of the database is written once, as a generator of *steps*: it yields a :class:`Query` or
a :class:`Copy`, receives the rows, and returns a result. :meth:`Statements.run` drives the steps on an
``AsyncConnection``, :meth:`Statements.run_sync` on a ``Connection``; no operation exists in two versions. An error of
the driver is raised at the ``yield``, where the operation may give it a meaning.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from textwrap import indent
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection, AsyncCursor, Connection, Cursor
from psycopg.rows import tuple_row

from riverrun.database.sql_files import sql_folder
from riverrun.database.times import MomentLoader

Row = tuple[Any, ...]
T = TypeVar("T")

# Tables, types, functions and sequences that live in the schema of River's tables.
_OURS = re.compile(r"(?<![\w.\"])(river_(?:job|queue|leader|migration)\w*|riverrun_\w+)\b")

# A line that takes in what several statements share, written as psql understands it too.
_PART = re.compile(r"^( *)\\ir (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Query:
    """One statement to run: the name of its file in ``sql/queries`` and its parameters."""

    name: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Copy:
    """Text to send through the ``COPY … FROM STDIN`` of a file in ``sql/queries``; it answers with no rows.

    The parts are sent as they come, so the server takes in one while the next is made.
    """

    name: str
    parts: Iterable[bytes]


Steps = Generator[Query | Copy, list[Row], T]
"""An operation on the database: yields queries, is sent their rows, returns a ``T``."""


class Statements:
    """The SQL of one schema.

    Args:
        schema: The schema that holds River's tables; ``None`` leaves it to the connection's ``search_path``.
    """

    def __init__(self, schema: str | None = None) -> None:
        self.schema = schema

    def text(self, name: str) -> bytes:
        """Return the statement ``name``, its tables qualified with the schema."""
        return _load(name, self.schema)

    async def run(self, conn: AsyncConnection[Any], steps: Steps[T]) -> T:
        """Run an operation on an asynchronous connection, whatever its row factory, and return its result."""
        try:
            step = next(steps)
            while True:
                try:
                    rows = await self._answer(conn, step)
                except psycopg.Error as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(rows)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # a generator's return value is untyped in StopIteration

    def run_sync(self, conn: Connection[Any], steps: Steps[T]) -> T:
        """Run an operation on a blocking connection, whatever its row factory, and return its result."""
        try:
            step = next(steps)
            while True:
                try:
                    rows = self._answer_sync(conn, step)
                except psycopg.Error as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(rows)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]  # see run()

    async def _answer(self, conn: AsyncConnection[Any], step: Query | Copy) -> list[Row]:
        cursor = AsyncCursor(conn, row_factory=tuple_row)
        cursor.adapters.register_loader("timestamptz", MomentLoader)
        if isinstance(step, Copy):
            async with cursor.copy(self.text(step.name)) as copy:
                for part in step.parts:
                    await copy.write(part)
            return []
        await cursor.execute(self.text(step.name), self._bound(step), binary=True)
        return await cursor.fetchall() if cursor.description else []

    def _answer_sync(self, conn: Connection[Any], step: Query | Copy) -> list[Row]:
        cursor = Cursor(conn, row_factory=tuple_row)
        cursor.adapters.register_loader("timestamptz", MomentLoader)
        if isinstance(step, Copy):
            with cursor.copy(self.text(step.name)) as copy:
                for part in step.parts:
                    copy.write(part)
            return []
        cursor.execute(self.text(step.name), self._bound(step), binary=True)
        return cursor.fetchall() if cursor.description else []

    def _bound(self, query: Query) -> Mapping[str, object]:
        """Return the parameters of ``query`` with the schema, which statements that notify need."""
        return {"schema": self.schema, **query.params}


@cache
def _load(name: str, schema: str | None) -> bytes:
    statement = _read(PurePosixPath(f"{name}.sql"))
    if schema is not None:
        statement = _OURS.sub(rf'"{schema}".\1', statement)
    return statement.encode()


def _read(path: PurePosixPath) -> str:
    """Return a file of ``sql/queries`` without its header and with its parts, named as seen from its folder."""
    text = (sql_folder() / "queries" / path).read_text(encoding="utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return _PART.sub(lambda part: indent(_read(path.parent / part[2]), part[1]), text)
