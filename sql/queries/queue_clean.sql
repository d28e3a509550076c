-- queue_clean.sql
-- Forget queues that nobody has worked on for a day, so that lists show what is there.
--   in:    generation, the leader's term · batch
--   out:   deleted, how many · full, whether there may be more
--   locks: locked rows, just being renewed, are left
--   index: river_queue_pkey; a row for each queue
-- A paused queue is kept: with its row the pause would be forgotten. So is one whose executors live, whatever its row
-- says.
WITH old AS MATERIALIZED (
    SELECT name
    FROM river_queue AS queue
    WHERE updated_at < now() - interval '24 hours'
        AND paused_at IS NULL
        AND NOT EXISTS (
            SELECT FROM riverrun_executor AS executor WHERE executor.queue = queue.name AND executor.lease_until >= now()
        )
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    ORDER BY name
    LIMIT %(batch)s::int
    FOR UPDATE OF queue SKIP LOCKED
),
deleted AS (
    DELETE FROM river_queue AS kept
    USING old
    WHERE kept.name = old.name
)
SELECT count(*) AS deleted, count(*) >= %(batch)s::int AS "full" FROM old
