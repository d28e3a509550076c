"""A search of the audit log costs what it looks at, not what the record has become."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from riverrun import Client
from riverrun.database.connect import session_dsn
from riverrun.store import audit
from support.plans import executed

KEPT = 25_001
FILL = """
INSERT INTO riverrun_audit (number, at, actor, action, target, entry, hash)
SELECT n, now(), 'token:ci', CASE WHEN n IN (5, 6, 25000) THEN 'queue.clear' ELSE 'queue.pause' END, 'queue:mail',
    jsonb_build_object('number', n, 'padding', repeat('x', 200))::text, sha256(n::text::bytea)
FROM generate_series(1::bigint, %s) AS n
"""


@pytest.fixture
def record(database: str) -> Iterator[Connection[Any]]:
    """Give a connection to a database with `KEPT` entries, of which three clear a queue."""
    with psycopg.connect(session_dsn(database, name="test"), autocommit=True) as conn:
        conn.execute(FILL, (KEPT,))
        conn.execute("VACUUM ANALYZE riverrun_audit")
        yield conn


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("wanted", [{"actor": "nobody"}, {"action": "queue.drain"}, {"target": "queue:none"}])
def test_a_search_that_finds_nothing_looks_at_so_many_entries_and_no_more(
    record: Connection[Any], wanted: dict[str, Any], generic: bool
) -> None:
    plan = executed(record, audit.listed(**wanted), generic=generic)

    assert plan.indexes() == {"riverrun_audit_pkey"}
    assert plan.read_in_full() == set()
    assert plan.most_rows() <= audit.LOOKED_AT + 1


def test_the_newest_entries_cost_no_more_than_they_are(record: Connection[Any]) -> None:
    plan = executed(record, audit.listed(rows=50), generic=False)

    assert plan.most_rows() <= 52
    assert plan.buffers() < 20


def test_a_search_goes_on_until_it_has_enough(record: Connection[Any], database: str) -> None:
    with Client(database) as client:
        first = client.run(audit.listed(action="queue.clear", rows=2))
        second = client.run(audit.listed(action="queue.clear", rows=2, before=first.next_before))

    assert [entry.number for entry in first.entries + second.entries] == [25_000, 6, 5]
    assert second.next_before is None


def test_a_search_without_time_gives_what_it_has_found_and_where_to_go_on(
    record: Connection[Any], database: str
) -> None:
    pages: list[list[int]] = []
    before: int | None = None
    with Client(database) as client:
        while not pages or before is not None:
            page = client.run(audit.listed(action="queue.clear", rows=2, before=before, seconds=0))
            before = page.next_before
            pages.append([entry.number for entry in page.entries])

    assert pages == [[25_000], [], [6, 5]]
