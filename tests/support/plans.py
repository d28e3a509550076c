"""Read what EXPLAIN says about our statements, so that tests can hold plans and buffers: no clock changes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

from riverrun.database.statements import Query, Statements, Steps

Node = dict[str, Any]
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@dataclass(frozen=True)
class Plan:
    """One statement as it was executed."""

    root: Node

    def nodes(self, root: Node | None = None) -> Iterator[Node]:
        """Return all nodes below ``root``, by default of the whole plan."""
        node = self.root if root is None else root
        yield node
        for child in node.get("Plans", ()):
            yield from self.nodes(child)

    def indexes(self) -> set[str]:
        """Return the indexes that rows were looked up in."""
        return {node["Index Name"] for node in self.nodes() if "Index Name" in node}

    def read_in_full(self) -> set[str]:
        """Return the tables that were read from end to end."""
        return {node["Relation Name"] for node in self.nodes() if node["Node Type"] == "Seq Scan"}

    def scans(self) -> set[str]:
        """Return the ways in which rows were looked up, such as ``Index Scan``; a bitmap reads all that match first."""
        return {node["Node Type"] for node in self.nodes() if node["Node Type"].endswith("Scan")}

    def most_rows(self) -> int:
        """Return the most rows that any one node gave, over all its loops."""
        return max(int(node["Actual Rows"] * node["Actual Loops"]) for node in self.nodes())

    def rows_visited(self) -> int:
        """Return the rows that all nodes gave or passed over, over all their loops: what the work grows with."""
        return int(
            sum(
                (
                    node["Actual Rows"]
                    + node.get("Rows Removed by Filter", 0)
                    + node.get("Rows Removed by Join Filter", 0)
                )
                * node["Actual Loops"]
                for node in self.nodes()
            )
        )

    def buffers(self, cte: str | None = None) -> int:
        """Return the pages that were touched in shared memory, by the whole statement or by one of its CTEs."""
        roots = [node for node in self.nodes() if cte is None or node.get("Subplan Name") == f"CTE {cte}"]
        return int(roots[0]["Shared Hit Blocks"]) + int(roots[0]["Shared Read Blocks"])


def executed(conn: Connection[Any], steps: Steps[Any], *, generic: bool) -> Plan:
    """Execute the first statement of ``steps`` and return its plan.

    Args:
        conn: Where; with the session settings that the statement is used with.
        steps: An operation of `riverrun.store`.
        generic: Whether the plan is made without looking at the parameters, as PostgreSQL does for a prepared
            statement from its sixth execution on when that looks no worse.
    """
    query = next(steps)
    assert isinstance(query, Query)
    params = {"schema": None, **query.params}
    numbered, names = with_numbers(query.name)
    conn.execute("DEALLOCATE ALL")
    conn.execute(f"SET plan_cache_mode = {'force_generic_plan' if generic else 'force_custom_plan'}".encode())
    conn.execute(f"PREPARE measured AS {numbered}".encode())
    given = _call(params, names)
    rows = conn.execute(sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE measured") + given).fetchall()
    return Plan(rows[0][0][0]["Plan"])


def with_numbers(name: str) -> tuple[str, list[str]]:
    """Return a statement as PREPARE takes it, and the names of its parameters in the order of their numbers."""
    text = Statements().text(name).decode()
    names = list(dict.fromkeys(_PLACEHOLDER.findall(text)))
    return _PLACEHOLDER.sub(lambda match: f"${names.index(match[1]) + 1}", text).replace("%%", "%"), names


def _call(params: Mapping[str, object], names: list[str]) -> sql.Composable:
    if not names:
        return sql.SQL("")
    return sql.SQL(" ({})").format(sql.SQL(", ").join(sql.Literal(params[name]) for name in names))
