-- executor_lease_drop.sql
-- Forget an executor that has ended and holds no job any more.
--   in:    incarnation text
--   out:   nothing
--   locks: its row
--   index: riverrun_executor_pkey
DELETE FROM riverrun_executor
WHERE incarnation = %(incarnation)s::text;
