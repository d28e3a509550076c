-- The columns of the tables by which a migrator knows what is in a schema.
--   in:    schema text
--   out:   one row for each column: relation, its name, its type's name; none when there is no such table
--   locks: none
--   index: the catalogue's own
SELECT relation.relname::text AS relation, attribute.attname::text AS name, type.typname::text AS type
FROM pg_catalog.pg_namespace AS namespace
INNER JOIN pg_catalog.pg_class AS relation ON relation.relnamespace = namespace.oid
INNER JOIN pg_catalog.pg_attribute AS attribute ON attribute.attrelid = relation.oid
INNER JOIN pg_catalog.pg_type AS type ON type.oid = attribute.atttypid
WHERE
    namespace.nspname = %(schema)s::text
    AND relation.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND relation.relname IN (
        'river_job', 'river_queue', 'river_leader', 'river_notification', 'river_migration', 'riverrun_migration'
    )
    AND attribute.attnum > 0
    AND NOT attribute.attisdropped
ORDER BY relation.relname, attribute.attnum;
