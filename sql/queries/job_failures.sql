-- job_failures.sql
-- Group the newest failures by what went wrong, the latest group first.
--   in:    kind, NULL: any · queues, NULL: any · most, how many jobs of each state are looked at, whatever their queue
--   out:   fingerprint · kind · message, with numbers and ids replaced · newest, the job that failed last, and its whole
--          message · queues · discarded, retryable, jobs of each · hour, day, week, those whose last failure is no older ·
--          first_at and last_at of these last failures · ids, the newest first, at most 1000 · looked_at, jobs in all
--   index: river_job_state_and_finalized_at_index, riverrun_job_due_index; most bounds what is read of either
WITH failed AS MATERIALIZED (
    (
        SELECT id, state, kind, queue, errors[array_upper(errors, 1)] ->> 'error' AS said,
            errors[array_upper(errors, 1)] ->> 'at' AS at
        FROM river_job
        WHERE state = 'discarded'
            AND finalized_at IS NOT NULL
            AND (%(kind)s::text IS NULL OR kind = %(kind)s::text)
        ORDER BY finalized_at DESC
        LIMIT %(most)s::int
    )
    UNION ALL
    (
        SELECT id, state, kind, queue, errors[array_upper(errors, 1)] ->> 'error' AS said,
            errors[array_upper(errors, 1)] ->> 'at' AS at
        FROM river_job
        WHERE state = 'retryable'
            AND (%(kind)s::text IS NULL OR kind = %(kind)s::text)
        ORDER BY scheduled_at, id
        LIMIT %(most)s::int
    )
),
read AS MATERIALIZED (
    SELECT
        id, state, kind, queue,
        left(said, 2000) AS whole,
        regexp_replace(
            left(split_part(said, E'\n', 1), 200),
            '\m(0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}|[0-9]+)\M', '#', 'gi'
        ) AS message,
        CASE WHEN at ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$' THEN at::timestamptz END AS at
    FROM failed
    WHERE said IS NOT NULL OR at IS NOT NULL
)
SELECT
    left(md5(kind || E'\n' || message), 16) AS fingerprint,
    kind,
    message,
    (array_agg(id ORDER BY at DESC NULLS LAST, id DESC))[1] AS newest,
    (array_agg(whole ORDER BY at DESC NULLS LAST, id DESC))[1] AS whole,
    array_agg(DISTINCT queue ORDER BY queue) AS queues,
    count(*) FILTER (WHERE state = 'discarded') AS discarded,
    count(*) FILTER (WHERE state = 'retryable') AS retryable,
    count(*) FILTER (WHERE at > now() - interval '1 hour') AS "hour",
    count(*) FILTER (WHERE at > now() - interval '1 day') AS "day",
    count(*) FILTER (WHERE at > now() - interval '7 days') AS week,
    min(at) AS first_at,
    max(at) AS last_at,
    (array_agg(id ORDER BY at DESC NULLS LAST, id DESC))[1:1000] AS ids,
    (SELECT count(*) FROM read) AS looked_at
FROM read
WHERE %(queues)s::text[] IS NULL OR queue = ANY (%(queues)s::text[])
GROUP BY kind, message
ORDER BY max(at) DESC NULLS LAST, kind, message
