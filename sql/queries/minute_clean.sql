-- minute_clean.sql
-- Forget minutes of statistics that are older than three days and have been summed up by the hour, oldest first.
--   in:    generation, the leader's term · batch
--   out:   deleted, how many · full, whether there may be more
--   locks: locked rows are left to the next time
--   index: riverrun_minute_pkey
WITH old AS MATERIALIZED (
    SELECT minute, queue, kind
    FROM riverrun_minute
    WHERE minute < now() - interval '72 hours'
        AND minute < (SELECT max(hour) + interval '1 hour' FROM riverrun_hour)
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    ORDER BY minute, queue, kind
    LIMIT %(batch)s::int
    FOR UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM riverrun_minute AS kept
    USING old
    WHERE kept.minute = old.minute AND kept.queue = old.queue AND kept.kind = old.kind
)
SELECT count(*) AS deleted, count(*) >= %(batch)s::int AS "full" FROM old
