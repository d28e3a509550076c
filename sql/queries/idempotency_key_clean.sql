-- idempotency_key_clean.sql
-- Forget answers to requests that are older than a day, oldest first.
--   in:    generation, the leader's term · batch
--   out:   deleted, how many · full, whether there may be more
--   locks: locked rows are left to the next time
--   index: riverrun_idempotency_key_created_at_index, riverrun_idempotency_key_pkey
WITH old AS MATERIALIZED (
    SELECT token, key
    FROM riverrun_idempotency_key
    WHERE created_at < now() - interval '24 hours'
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    ORDER BY created_at
    LIMIT %(batch)s::int
    FOR UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM riverrun_idempotency_key AS kept
    USING old
    WHERE kept.token = old.token AND kept.key = old.key
)
SELECT count(*) AS deleted, count(*) >= %(batch)s::int AS "full" FROM old
