-- handler_delete.sql
-- Forget a handler, unless unfinished jobs still need it.
--   in:    kind · revision it must have, NULL: any · force, whether unfinished jobs do not matter · cap
--   out:   its revision · unfinished jobs of the kind, counted up to cap · whether it was deleted; no row: not known
--   locks: the handler, its health
--   index: riverrun_handler_pkey, riverrun_handler_health_pkey, riverrun_job_live_index
WITH known AS MATERIALIZED (
    SELECT kind, revision
    FROM riverrun_handler
    WHERE kind = %(kind)s::text
    FOR UPDATE
),
unfinished AS MATERIALIZED (
    SELECT count(*) AS jobs
    FROM (
        SELECT
        FROM river_job
        WHERE kind = %(kind)s::text AND state IN ('available', 'pending', 'retryable', 'running', 'scheduled')
        LIMIT %(cap)s::int
    ) AS counted
),
deleted AS (
    DELETE FROM riverrun_handler AS handler
    USING known, unfinished
    WHERE handler.kind = known.kind
        AND (%(revision)s::bigint IS NULL OR known.revision = %(revision)s::bigint)
        AND (unfinished.jobs = 0 OR %(force)s::bool)
    RETURNING handler.kind
),
forgotten AS (
    DELETE FROM riverrun_handler_health AS health USING deleted WHERE health.kind = deleted.kind
)
SELECT known.revision, unfinished.jobs, EXISTS (SELECT FROM deleted) AS deleted
FROM known
CROSS JOIN unfinished
