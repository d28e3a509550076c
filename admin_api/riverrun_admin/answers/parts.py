"""What other answers are made of."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

from pydantic import WithJsonSchema
from typing_extensions import TypedDict

T = TypeVar("T")

Moment: TypeAlias = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Object: TypeAlias = Annotated[object, WithJsonSchema({"type": "object"})]
"""A JSON object that is written as PostgreSQL gave it."""


class Page(TypedDict, Generic[T]):
    """Part of a list; without a cursor it is the last one."""

    data: list[T]
    next_cursor: str | None


class Number(TypedDict):
    """A number of jobs: exact, the least it is, or an estimate."""

    value: int
    relation: Literal["eq", "gte", "approx"]
