-- index_list.sql
-- List the indexes of a table and how they are.
--   in:    table, its name
--   out:   name · valid, whether statements can use it · whether it is being built now · bytes · rows in it, as last
--          estimated, negative when never
--   locks: none
--   index: the catalogue's own
SELECT
    relation.relname::text AS name,
    listed.indisvalid AS valid,
    EXISTS (SELECT FROM pg_stat_progress_create_index AS work WHERE work.index_relid = relation.oid) AS building,
    pg_relation_size(relation.oid)::float8 AS bytes,
    relation.reltuples::float8 AS rows
FROM pg_index AS listed
INNER JOIN pg_class AS relation ON relation.oid = listed.indexrelid
INNER JOIN pg_class AS owner ON owner.oid = listed.indrelid
WHERE owner.relname = %(table)s::text
    AND owner.relnamespace = to_regnamespace(quote_ident(coalesce(%(schema)s::text, current_schema())))
ORDER BY relation.relname
