-- token_clean.sql
-- Forget sessions that have ended, and tokens that could not be used for 90 days.
--   in:    generation, the leader's term · batch
--   out:   deleted, how many · full, whether there may be more
--   locks: locked rows are left to the next time
WITH old AS MATERIALIZED (
    SELECT id
    FROM riverrun_token
    WHERE least(expires_at, revoked_at) < now() - CASE WHEN parent IS NULL THEN interval '90 days' ELSE interval '1 day' END
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    LIMIT %(batch)s::int
    FOR UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM riverrun_token AS token
    USING old
    WHERE token.id = old.id
)
SELECT count(*) AS deleted, count(*) >= %(batch)s::int AS "full" FROM old
