-- job_estimate.sql
-- Estimate how many jobs there are, without counting.
--   out:   rows as the planner knows them; -1 before the first ANALYZE
--   index: pg_class_oid_index
SELECT reltuples::bigint
FROM pg_class
WHERE oid = to_regclass(coalesce(quote_ident(%(schema)s::text) || '.', '') || quote_ident(%(table)s::text))
