-- server_clean.sql
-- Forget hosts that have not been heard of for a day.
--   in:    generation, the leader's term · batch
--   out:   deleted, how many · full, whether there may be more
--   locks: locked rows, just being renewed, are left
--   index: riverrun_server_pkey; a row for each host
WITH old AS MATERIALIZED (
    SELECT server_id
    FROM riverrun_server
    WHERE heartbeat_at < now() - interval '24 hours'
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    ORDER BY server_id
    LIMIT %(batch)s::int
    FOR UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM riverrun_server AS kept
    USING old
    WHERE kept.server_id = old.server_id
)
SELECT count(*) AS deleted, count(*) >= %(batch)s::int AS "full" FROM old
