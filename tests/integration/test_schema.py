"""Our migrated database against the facts about River's tables that its clients rely on, one by one.

The expected values are written out here and not taken from the migrations. Only what our own line changes on
purpose differs from a database of River: the priority check, two indexes and the autovacuum settings.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

pytestmark = pytest.mark.every_postgres

STATES = ("available", "cancelled", "completed", "discarded", "pending", "retryable", "running", "scheduled")
NOW, NONE = "now()", None

# name: type, whether NULL is allowed, default
COLUMNS: dict[str, dict[str, tuple[str, bool, str | None]]] = {
    "river_job": {
        "id": ("bigint", False, "nextval('river_job_id_seq'::regclass)"),
        "state": ("river_job_state", False, "'available'::river_job_state"),
        "attempt": ("smallint", False, "0"),
        "max_attempts": ("smallint", False, "25"),
        "attempted_at": ("timestamp with time zone", True, NONE),
        "created_at": ("timestamp with time zone", False, NOW),
        "finalized_at": ("timestamp with time zone", True, NONE),
        "scheduled_at": ("timestamp with time zone", False, NOW),
        "priority": ("smallint", False, "1"),
        "args": ("jsonb", False, NONE),
        "attempted_by": ("text[]", True, NONE),
        "errors": ("jsonb[]", True, NONE),
        "kind": ("text", False, NONE),
        "metadata": ("jsonb", False, "'{}'::jsonb"),
        "queue": ("text", False, "'default'::text"),
        "tags": ("character varying(255)[]", False, "'{}'::character varying[]"),
        "unique_key": ("bytea", True, NONE),
        "unique_states": ("bit(8)", True, NONE),
    },
    "river_queue": {
        "name": ("text", False, NONE),
        "created_at": ("timestamp with time zone", False, NOW),
        "metadata": ("jsonb", False, "'{}'::jsonb"),
        "paused_at": ("timestamp with time zone", True, NONE),
        "updated_at": ("timestamp with time zone", False, "CURRENT_TIMESTAMP"),
    },
    "river_leader": {
        "elected_at": ("timestamp with time zone", False, NONE),
        "expires_at": ("timestamp with time zone", False, NONE),
        "leader_id": ("text", False, NONE),
        "name": ("text", False, "'default'::text"),
    },
    "river_migration": {
        "line": ("text", False, NONE),
        "version": ("bigint", False, NONE),
        "created_at": ("timestamp with time zone", False, NOW),
    },
    "river_notification": {
        "id": ("bigint", False, "nextval('river_notification_id_seq'::regclass)"),
        "created_at": ("timestamp with time zone", False, NOW),
        "payload": ("text", False, NONE),
        "topic": ("text", False, NONE),
    },
}

FINAL = "ANY (ARRAY['cancelled'::river_job_state, 'completed'::river_job_state, 'discarded'::river_job_state])"
NOT_FINAL = "ALL (ARRAY['cancelled'::river_job_state, 'completed'::river_job_state, 'discarded'::river_job_state])"


def length_check(column: str) -> str:
    return f"CHECK (((char_length({column}) > 0) AND (char_length({column}) < 128)))"


CONSTRAINTS = {
    "river_job": {
        "river_job_pkey": "PRIMARY KEY (id)",
        "finalized_or_finalized_at_null": "CHECK ((((finalized_at IS NULL) AND (state <> "
        + NOT_FINAL
        + ")) OR ((finalized_at IS NOT NULL) AND (state = "
        + FINAL
        + "))))",
        "max_attempts_is_positive": "CHECK ((max_attempts > 0))",
        "priority_in_range": "CHECK (((priority >= 1) AND (priority <= 9)))",
        "queue_length": length_check("queue"),
        "kind_length": length_check("kind"),
    },
    "river_queue": {"river_queue_pkey": "PRIMARY KEY (name)"},
    "river_leader": {
        "river_leader_pkey": "PRIMARY KEY (name)",
        "leader_id_length": length_check("leader_id"),
        "name_length": "CHECK ((name = 'default'::text))",
    },
    "river_migration": {
        "river_migration_pkey": "PRIMARY KEY (line, version)",
        "line_length": length_check("line"),
        "version_gte_1": "CHECK ((version >= 1))",
    },
    "river_notification": {"river_notification_pkey": "PRIMARY KEY (id)", "topic_length": length_check("topic")},
}

BTREE, JOB = "USING btree", "ON public.river_job"
INDEXES = {
    "river_job_pkey": f"CREATE UNIQUE INDEX river_job_pkey {JOB} {BTREE} (id)",
    "river_job_state_and_finalized_at_index": f"CREATE INDEX river_job_state_and_finalized_at_index {JOB} {BTREE}"
    " (state, finalized_at) WHERE (finalized_at IS NOT NULL)",
    "river_job_unique_idx": f"CREATE UNIQUE INDEX river_job_unique_idx {JOB} {BTREE} (unique_key)"
    " WHERE ((unique_key IS NOT NULL) AND (unique_states IS NOT NULL) AND"
    " river_job_state_in_bitmask(unique_states, state))",
    "riverrun_job_live_index": f"CREATE INDEX riverrun_job_live_index {JOB} {BTREE}"
    " (state, queue, priority, scheduled_at, id) WHERE (state = ANY (ARRAY['available'::river_job_state,"
    " 'pending'::river_job_state, 'retryable'::river_job_state, 'running'::river_job_state,"
    " 'scheduled'::river_job_state]))",
    "riverrun_job_due_index": f"CREATE INDEX riverrun_job_due_index {JOB} {BTREE} (scheduled_at, id) WHERE"
    " (state = ANY (ARRAY['retryable'::river_job_state, 'scheduled'::river_job_state]))",
    "river_queue_pkey": f"CREATE UNIQUE INDEX river_queue_pkey ON public.river_queue {BTREE} (name)",
    "river_leader_pkey": f"CREATE UNIQUE INDEX river_leader_pkey ON public.river_leader {BTREE} (name)",
    "river_migration_pkey": f"CREATE UNIQUE INDEX river_migration_pkey ON public.river_migration {BTREE}"
    " (line, version)",
    "river_notification_pkey": f"CREATE UNIQUE INDEX river_notification_pkey ON public.river_notification {BTREE} (id)",
    "river_notification_created_at_idx": "CREATE INDEX river_notification_created_at_idx"
    f" ON public.river_notification {BTREE} (created_at)",
    "river_notification_topic_id_idx": "CREATE INDEX river_notification_topic_id_idx"
    f" ON public.river_notification {BTREE} (topic, id)",
}

OWN_TABLES = {
    "riverrun_audit", "riverrun_audit_head", "riverrun_bulk", "riverrun_notice", "riverrun_token",
    "riverrun_executor", "riverrun_handler", "riverrun_handler_health", "riverrun_hour", "riverrun_idempotency_key",
    "riverrun_recovery",
    "riverrun_leader",
    "riverrun_migration",
    "riverrun_minute", "riverrun_queue_pause", "riverrun_queue_setting", "riverrun_schedule", "riverrun_schedule_tick",
    "riverrun_server",
}  # fmt: skip


@pytest.fixture
async def conn(database: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """A connection to a database that was empty before our migrations."""
    async with await AsyncConnection.connect(database, autocommit=True) as connection:
        yield connection


async def rows(conn: AsyncConnection[TupleRow], query: str, *values: object) -> list[TupleRow]:
    return await (await conn.execute(query.encode(), values)).fetchall()


@pytest.mark.parametrize("table", COLUMNS)
async def test_columns_are_rivers(conn: AsyncConnection[TupleRow], table: str) -> None:
    query = """
        SELECT attname, format_type(atttypid, atttypmod), NOT attnotnull, pg_get_expr(adbin, adrelid)
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""

    found = {name: tuple(rest) for name, *rest in await rows(conn, query, table)}

    assert found == COLUMNS[table]
    assert list(found) == list(COLUMNS[table])


@pytest.mark.parametrize("table", CONSTRAINTS)
async def test_checks_and_keys_are_rivers_but_for_priority(conn: AsyncConnection[TupleRow], table: str) -> None:
    query = """
        SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint
        WHERE conrelid = %s::regclass AND contype <> 'n'"""

    found = await rows(conn, query, table)

    assert {name: definition for name, definition, _ in found} == CONSTRAINTS[table]
    assert all(validated for _, _, validated in found)


async def test_indexes_are_rivers_and_our_two(conn: AsyncConnection[TupleRow]) -> None:
    query = """
        SELECT indexname, indexdef FROM pg_indexes
        WHERE schemaname = 'public' AND tablename NOT LIKE 'riverrun%%'"""

    assert dict(await rows(conn, query)) == INDEXES
    assert await rows(conn, "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid") == []


async def test_states_stand_in_rivers_order(conn: AsyncConnection[TupleRow]) -> None:
    found = await rows(conn, "SELECT unnest(enum_range(NULL::river_job_state))::text")

    assert tuple(state for (state,) in found) == STATES


@pytest.mark.parametrize(("number", "state"), list(enumerate(STATES)))
async def test_mask_holds_each_state_at_rivers_bit(conn: AsyncConnection[TupleRow], number: int, state: str) -> None:
    query = "SELECT mask FROM generate_series(0, 255) AS mask WHERE river_job_state_in_bitmask(mask::bit(8), %s)"

    contained = [mask for (mask,) in await rows(conn, query, state)]

    assert contained == [mask for mask in range(256) if mask & (1 << number)]


async def test_mask_function_has_rivers_signature(conn: AsyncConnection[TupleRow]) -> None:
    query = """
        SELECT pg_get_function_arguments(oid), pg_get_function_result(oid), provolatile::text, proisstrict, prolang = (
            SELECT oid FROM pg_language WHERE lanname = 'sql'
        ) FROM pg_proc WHERE proname = 'river_job_state_in_bitmask'"""

    assert await rows(conn, query) == [("bitmask bit, state river_job_state", "boolean", "i", False, True)]
    assert await rows(conn, "SELECT river_job_state_in_bitmask(B'11110101', NULL)") == [(False,)]


async def test_sequences_have_rivers_names(conn: AsyncConnection[TupleRow]) -> None:
    query = "SELECT pg_get_serial_sequence('river_job', 'id'), pg_get_serial_sequence('river_notification', 'id')"

    assert await rows(conn, query) == [("public.river_job_id_seq", "public.river_notification_id_seq")]


async def test_river_finds_its_eight_migrations_and_no_other_line(conn: AsyncConnection[TupleRow]) -> None:
    found = await rows(conn, "SELECT line, version FROM river_migration ORDER BY version")

    assert found == [("main", version) for version in range(1, 9)]


async def test_only_what_a_crash_may_empty_is_unlogged_and_there_is_no_trigger(
    conn: AsyncConnection[TupleRow],
) -> None:
    unlogged = await rows(conn, "SELECT relname FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r' ORDER BY 1")

    assert unlogged == [("river_leader",), ("riverrun_recovery",)]
    assert await rows(conn, "SELECT tgname FROM pg_trigger") == []


async def test_no_table_but_rivers_and_ours(conn: AsyncConnection[TupleRow]) -> None:
    found = {name for (name,) in await rows(conn, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}

    assert found == {*COLUMNS, *OWN_TABLES}


async def test_every_table_of_ours_says_what_it_is_for(conn: AsyncConnection[TupleRow]) -> None:
    query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND obj_description(oid, 'pg_class') IS NOT NULL"

    assert {name for (name,) in await rows(conn, query)} >= OWN_TABLES


@pytest.mark.parametrize(
    ("assignment", "constraint"),
    [
        ("priority = 0", "priority_in_range"),
        ("priority = 10", "priority_in_range"),
        ("max_attempts = 0", "max_attempts_is_positive"),
        ("queue = ''", "queue_length"),
        ("queue = repeat('q', 128)", "queue_length"),
        ("kind = ''", "kind_length"),
        ("kind = repeat('k', 128)", "kind_length"),
        ("finalized_at = now()", "finalized_or_finalized_at_null"),
        ("state = 'completed'", "finalized_or_finalized_at_null"),
        ("state = 'cancelled'", "finalized_or_finalized_at_null"),
        ("state = 'discarded'", "finalized_or_finalized_at_null"),
    ],
)
async def test_a_job_out_of_bounds_is_refused(
    conn: AsyncConnection[TupleRow], assignment: str, constraint: str
) -> None:
    await conn.execute("INSERT INTO river_job (kind, args, priority) VALUES ('email', '{}', 9)")

    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        await conn.execute(f"UPDATE river_job SET {assignment}".encode())

    assert refused.value.diag.constraint_name == constraint


async def test_an_insert_infers_the_unique_index_as_rivers_clients_do(conn: AsyncConnection[TupleRow]) -> None:
    insert = """
        INSERT INTO river_job (kind, args, unique_key, unique_states) VALUES ('email', '{}', 'key', 245::bit(8))
        ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND unique_states IS NOT NULL
        AND river_job_state_in_bitmask(unique_states, state) DO UPDATE SET kind = excluded.kind RETURNING id"""

    first, second = await rows(conn, insert), await rows(conn, insert)
    await conn.execute("UPDATE river_job SET state = 'discarded', finalized_at = now()")
    third = await rows(conn, insert)

    assert first == second
    assert third != first


async def test_leadership_starts_with_generation_zero_and_nobody(conn: AsyncConnection[TupleRow]) -> None:
    found = await rows(conn, "SELECT name, generation, server_id, backend_pid, elected_at FROM riverrun_leader")

    assert found == [("scheduler", 0, None, None, None)]


async def test_heartbeats_rewrite_no_index(conn: AsyncConnection[TupleRow]) -> None:
    query = """
        SELECT relname, reloptions, (SELECT count(*) FROM pg_index WHERE indrelid = pg_class.oid) FROM pg_class
        WHERE relname IN ('riverrun_server', 'riverrun_executor') ORDER BY relname"""

    assert await rows(conn, query) == [
        ("riverrun_executor", ["fillfactor=50"], 1),
        ("riverrun_server", ["fillfactor=50"], 1),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO riverrun_leader (name) VALUES ('other')",
        "INSERT INTO riverrun_handler (kind, handler_name, handler_type) VALUES ('k', 'h', 'soap')",
        "INSERT INTO riverrun_handler (kind, handler_name, handler_type, timeout_seconds) VALUES ('k', 'h', 'http', 0)",
        (
            "INSERT INTO riverrun_handler (kind, handler_name, handler_type, timeout_seconds)"
            " VALUES ('k', 'h', 'http', 'NaN')"
        ),
        "INSERT INTO riverrun_handler (kind, handler_name, handler_type, retry_count) VALUES ('k', 'h', 'http', -1)",
        "INSERT INTO riverrun_queue_setting (queue, max_workers) VALUES ('q', 0)",
        "INSERT INTO riverrun_queue_setting (queue, max_workers) VALUES ('q', 10001)",
        "INSERT INTO riverrun_queue_pause (queue, paused_at, reason) VALUES ('q', now(), repeat('r', 256))",
        (
            "INSERT INTO riverrun_schedule (name, kind, expression, queue, source, priority)"
            " VALUES ('n', 'k', '@daily', 'q', 'api', 10)"
        ),
        "INSERT INTO riverrun_schedule (name, kind, expression, queue, source) VALUES ('n', 'k', '@daily', 'q', 'me')",
        (
            "INSERT INTO riverrun_schedule (name, kind, expression, queue, source, missed)"
            " VALUES ('n', 'k', '@daily', 'q', 'api', 'some')"
        ),
    ],
)
async def test_a_row_of_ours_out_of_bounds_is_refused(conn: AsyncConnection[TupleRow], statement: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        await conn.execute(statement.encode())


async def test_every_change_of_settings_gets_a_higher_revision(conn: AsyncConnection[TupleRow]) -> None:
    first = await rows(
        conn,
        "INSERT INTO riverrun_queue_setting (queue, max_workers) VALUES ('a', 1), ('b', 10000) RETURNING revision",
    )
    second = await rows(
        conn,
        "INSERT INTO riverrun_handler (kind, handler_name, handler_type) VALUES ('k', 'h', 'grpc') RETURNING revision",
    )

    assert [revision for (revision,) in first + second] == [1, 2, 3]
