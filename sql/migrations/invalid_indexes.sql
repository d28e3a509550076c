-- Riverrun's indexes that were left half built when a migrator was killed.
--   in:    nothing; looks into the schema where the session would create a table
--   out:   the names of the indexes
--   locks: none
--   index: the catalogue's own
SELECT relation.relname::text AS name
FROM pg_catalog.pg_index AS half_built
INNER JOIN pg_catalog.pg_class AS relation ON relation.oid = half_built.indexrelid
WHERE
    relation.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema())
    AND starts_with(relation.relname, 'riverrun_')
    AND NOT half_built.indisvalid
ORDER BY relation.relname;
