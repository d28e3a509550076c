"""Judges the tables: may this role use them, are their indexes whole, and does VACUUM keep up?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from psycopg import sql

from riverrun.database.migration_files import numbered
from riverrun.store.health import VacuumFacts
from riverrun.store.indexes import IndexFacts
from riverrun_cli.doctor.finding import Finding, error, warning

JOBS = "river_job"
_ALL = "SELECT,INSERT,UPDATE,DELETE"
NEEDED_PRIVILEGES = {
    **dict.fromkeys(
        (
            "river_job", "river_leader", "river_queue", "riverrun_audit", "riverrun_audit_head", "riverrun_bulk",
            "riverrun_executor", "riverrun_handler", "riverrun_handler_health", "riverrun_hour",
            "riverrun_idempotency_key", "riverrun_leader", "riverrun_minute", "riverrun_notice",
            "riverrun_queue_pause", "riverrun_queue_setting", "riverrun_recovery", "riverrun_schedule",
            "riverrun_schedule_tick", "riverrun_server", "riverrun_token",
        ),
        _ALL,
    ),
    "river_migration": "SELECT",
    "riverrun_migration": "SELECT",
    "river_job_id_seq": "USAGE",
    "riverrun_revision_seq": "USAGE",
    "riverrun_bulk_id_seq": "USAGE",
}  # fmt: skip
NEEDED_INDEXES = {
    "riverrun_job_live_index": "every claim sorts all waiting jobs of its queue",
    "riverrun_job_due_index": "every promotion reads all jobs that wait for their time",
}
_MEBIBYTE = 1024 * 1024
_LARGE = 64 * _MEBIBYTE
_BYTES_OF_AN_ENTRY = 100
_DEAD_ROWS = 10_000


def of_migrations(behind: str | None) -> Iterator[Finding]:
    """Judge whether steps are pending that the next release will need."""
    if behind is not None:
        finding, _, command = behind.rpartition("; run: ")
        yield warning("migrations", finding, mend=command)


def of_privileges(missing: Mapping[str, str], *, role: str, schema: str) -> Iterator[Finding]:
    """Judge what this role may do."""
    for relation, privileges in missing.items():
        kind = "SEQUENCE" if relation.endswith("_seq") else "TABLE"
        name = sql.Identifier(role).as_string()
        yield error(
            "privileges",
            f"role {role} lacks {privileges} on {relation}: what needs it fails",
            mend=f"GRANT {privileges} ON {kind} {_qualified(schema, relation)} TO {name};",
        )


def of_priority(constraints: Mapping[str, tuple[str, bool]], *, schema: str) -> Iterator[Finding]:
    """Judge the CHECK on priorities, which River's own tables limit to 1 to 4."""
    table = _qualified(schema, JOBS)
    definition, validated = constraints.get("priority_in_range", ("", True))
    if "<= 9" not in definition:
        state = "does not allow priorities up to 9" if definition else "is missing"
        yield error(
            "priority",
            f"the constraint priority_in_range of river_job {state}: jobs of priority 5 to 9 are refused, or any"
            " number is let in",
            mend=f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS priority_in_range, ADD CONSTRAINT priority_in_range"
            " CHECK (priority >= 1 AND priority <= 9) NOT VALID;"
            f" ALTER TABLE {table} VALIDATE CONSTRAINT priority_in_range;",
        )
    elif not validated:
        yield warning(
            "priority",
            "the constraint priority_in_range of river_job was never checked on the rows that were there before it",
            mend=f"ALTER TABLE {table} VALIDATE CONSTRAINT priority_in_range;",
        )


def of_indexes(indexes: Sequence[IndexFacts], *, schema: str) -> Iterator[Finding]:
    """Judge the indexes of river_job."""
    for index in indexes:
        if not index.building:
            yield from _of_index(index, schema)
    for name in sorted(set(NEEDED_INDEXES) - {index.name for index in indexes}):
        yield error("indexes", f"the index {name} is missing: {NEEDED_INDEXES[name]}", mend=_creation(name, schema))


def of_vacuum(facts: VacuumFacts, *, pinned: bool, schema: str) -> Iterator[Finding]:
    """Judge whether dead rows are removed; with ``pinned``, something else keeps them, which is said elsewhere."""
    table = _qualified(schema, JOBS)
    if not facts.autovacuum:
        yield error(
            "vacuum",
            "autovacuum is off for river_job: dead rows are never removed and every claim gets slower",
            mend=f"ALTER TABLE {table} RESET (autovacuum_enabled);",
        )
    elif facts.dead > 2 * facts.dead_limit + _DEAD_ROWS and not facts.vacuuming and not pinned:
        yield warning(
            "vacuum",
            f"river_job has {facts.dead:.0f} dead rows beside {max(facts.rows, 0):.0f} live ones, and autovacuum,"
            f" which should begin at {facts.dead_limit:.0f}, is behind: claims get slower",
            mend=f"VACUUM (ANALYZE) {table}; and raise autovacuum_max_workers or autovacuum_vacuum_cost_limit",
        )
    if facts.needed is not None and facts.bytes > 4 * facts.needed + _LARGE:
        yield warning(
            "bloat",
            f"river_job takes {facts.bytes / _MEBIBYTE:.0f} MiB for rows that need {facts.needed / _MEBIBYTE:.0f} MiB:"
            " the space is reused but not given back",
            mend=f"in a maintenance window, with the daemons stopped: VACUUM (FULL, ANALYZE) {table};",
        )


def _of_index(index: IndexFacts, schema: str) -> Iterator[Finding]:
    name = _qualified(schema, index.name)
    if index.left_of is not None:
        yield warning(
            "indexes",
            f"the index {index.name} was left behind by a REINDEX that was stopped: it slows every write",
            mend=f"DROP INDEX CONCURRENTLY {name};",
        )
    elif not index.valid:
        yield error(
            "indexes",
            f"the index {index.name} is not valid: it slows every write and no statement can use it",
            mend=f"REINDEX INDEX CONCURRENTLY {name};",
        )
    elif index.rows >= 0 and index.bytes > 4 * _BYTES_OF_AN_ENTRY * index.rows + _LARGE:
        yield warning(
            "bloat",
            f"the index {index.name} takes {index.bytes / _MEBIBYTE:.0f} MiB for {index.rows:.0f} entries",
            mend=f"REINDEX INDEX CONCURRENTLY {name};",
        )


def _creation(name: str, schema: str) -> str:
    """Return the statement of the migration that makes an index, on one line."""
    statements = (statement for step in numbered() for statement in step.up.statements)
    found = next(text for text in statements if "CREATE INDEX" in text and name in text)
    return " ".join(found.split()).replace(f" ON {JOBS} ", f" ON {_qualified(schema, JOBS)} ") + ";"


def _qualified(schema: str, name: str) -> str:
    return sql.Identifier(schema, name).as_string()
