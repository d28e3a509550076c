-- bulk_clean.sql
-- Forget operations that ended 90 days ago.
--   in:    generation, the leader's term · batch
--   out:   deleted, how many · full, whether there may be more
WITH old AS MATERIALIZED (
    SELECT id
    FROM riverrun_bulk
    WHERE finished_at < now() - interval '90 days'
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    LIMIT %(batch)s::int
    FOR UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM riverrun_bulk AS bulk
    USING old
    WHERE bulk.id = old.id
)
SELECT count(*) AS deleted, count(*) >= %(batch)s::int AS "full" FROM old
