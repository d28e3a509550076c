-- notice_clean.sql
-- Forget what was told a month ago.
--   in:    generation, the leader's term · batch
--   out:   deleted, how many · full, whether there may be more
WITH old AS MATERIALIZED (
    SELECT rule, subject
    FROM riverrun_notice
    WHERE sent_at < now() - interval '30 days'
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
    LIMIT %(batch)s::int
    FOR UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM riverrun_notice AS notice
    USING old
    WHERE notice.rule = old.rule AND notice.subject = old.subject
)
SELECT count(*) AS deleted, count(*) >= %(batch)s::int AS "full" FROM old
