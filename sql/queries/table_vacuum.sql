-- table_vacuum.sql
-- Return whether VACUUM keeps up with a table.
--   in:    table, its name
--   out:   rows as estimated, negative when never · dead rows · whether autovacuum may work on it · dead_limit, from how
--          many dead rows on it does · whether it is being vacuumed now · bytes without indexes · needed, the bytes that
--          its rows would take, NULL without statistics; no row without the table
--   locks: none
--   index: the catalogue's own
WITH found AS (
    SELECT relation.oid, relation.relname, relation.reltuples::float8 AS rows, relation.reloptions
    FROM pg_class AS relation
    WHERE relation.relname = %(table)s::text
        AND relation.relnamespace = to_regnamespace(quote_ident(coalesce(%(schema)s::text, current_schema())))
),
options AS (
    SELECT option.option_name AS name, option.option_value AS value
    FROM found
    CROSS JOIN LATERAL pg_options_to_table(found.reloptions) AS option
)
SELECT
    found.rows,
    coalesce(pg_stat_get_dead_tuples(found.oid), 0)::float8 AS dead,
    coalesce((SELECT value::bool FROM options WHERE name = 'autovacuum_enabled'), true) AS autovacuum,
    coalesce(
        (SELECT value::float8 FROM options WHERE name = 'autovacuum_vacuum_threshold'),
        current_setting('autovacuum_vacuum_threshold')::float8
    ) + greatest(found.rows, 0) * coalesce(
        (SELECT value::float8 FROM options WHERE name = 'autovacuum_vacuum_scale_factor'),
        current_setting('autovacuum_vacuum_scale_factor')::float8
    ) AS dead_limit,
    EXISTS (SELECT FROM pg_stat_progress_vacuum AS work WHERE work.relid = found.oid) AS vacuuming,
    pg_relation_size(found.oid)::float8 AS bytes,
    greatest(found.rows, 0) * (
        SELECT sum(statistics.avg_width) + 28
        FROM pg_stats AS statistics
        WHERE statistics.tablename = found.relname
            AND statistics.schemaname = coalesce(%(schema)s::text, current_schema())
    ) AS needed
FROM found
