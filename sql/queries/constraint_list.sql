-- constraint_list.sql
-- List the CHECK constraints of a table.
--   in:    table, its name
--   out:   name, definition and whether all rows were checked
--   locks: none
--   index: the catalogue's own
SELECT checked.conname::text AS name, pg_get_constraintdef(checked.oid) AS definition, checked.convalidated AS validated
FROM pg_constraint AS checked
INNER JOIN pg_class AS relation ON relation.oid = checked.conrelid
WHERE checked.contype = 'c'
    AND relation.relname = %(table)s::text
    AND relation.relnamespace = to_regnamespace(quote_ident(coalesce(%(schema)s::text, current_schema())))
ORDER BY checked.conname
