-- audit_clean.sql
-- Forget the oldest entries; the chain then begins with the first that is left.
--   in:    generation, the leader's term · seconds, how long entries are kept · batch
--   out:   deleted, how many · full, whether there may be more
--   index: riverrun_audit_at_index
WITH old AS MATERIALIZED (
    SELECT number
    FROM riverrun_audit
    WHERE at < now() - make_interval(secs => %(seconds)s::float8)
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    ORDER BY number
    LIMIT %(batch)s::int
    FOR UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM riverrun_audit AS audit
    USING old
    WHERE audit.number = old.number
)
SELECT count(*) AS deleted, count(*) >= %(batch)s::int AS "full" FROM old
