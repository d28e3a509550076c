-- table_gauges.sql
-- Measure the tables that grow, and PostgreSQL's notification queue.
--   in:    tables, their names
--   out:   one row for each table: name, rows as the planner estimates them, bytes with indexes, dead rows ·
--          notification_queue, its filled part, the same in each row
--   locks: none
--   index: the catalogue's own
SELECT
    relation.relname::text AS name,
    greatest(relation.reltuples, 0)::float8 AS rows,
    pg_total_relation_size(relation.oid)::float8 AS bytes,
    coalesce(pg_stat_get_dead_tuples(relation.oid), 0)::float8 AS dead_rows,
    pg_notification_queue_usage() AS notification_queue
FROM pg_class AS relation
WHERE relation.relkind = 'r'
    AND relation.relname = ANY (%(tables)s::text[])
    AND relation.relnamespace = to_regnamespace(quote_ident(coalesce(%(schema)s::text, current_schema())))
