-- hour_clean.sql
-- Forget hours of statistics that are older than 90 days, oldest first.
--   in:    generation, the leader's term · batch
--   out:   deleted, how many · full, whether there may be more
--   locks: locked rows are left to the next time
--   index: riverrun_hour_pkey
WITH old AS MATERIALIZED (
    SELECT hour, queue, kind
    FROM riverrun_hour
    WHERE hour < now() - interval '90 days'
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    ORDER BY hour, queue, kind
    LIMIT %(batch)s::int
    FOR UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM riverrun_hour AS kept
    USING old
    WHERE kept.hour = old.hour AND kept.queue = old.queue AND kept.kind = old.kind
)
SELECT count(*) AS deleted, count(*) >= %(batch)s::int AS "full" FROM old
