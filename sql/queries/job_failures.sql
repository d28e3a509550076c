-- job_failures.sql
-- Group failures by what went wrong, the latest group first: of the newest discarded jobs, and of those retryable ones
-- of each queue that will run first.
--   in:    queues, NULL: any · looked, how many jobs of each state are looked at, whatever their queue
--   out:   fingerprint, as parts/job_matches.sql has it · kind · message, with numbers and ids replaced · newest, the job
--          that failed last, and its whole message · queues · discarded, retryable, jobs of each · hour, day, week, those
--          whose last failure is no older · first_at and last_at of these last failures · ids, the newest first, at most
--          1000 · more, whether there may be failed jobs that were not looked at
--   index: river_job_state_and_finalized_at_index, riverrun_job_live_index; looked bounds what is read of either. The due
--          index would do only where no scheduled jobs stand between
-- The failure is taken out of the errors once: with its stack it may be stored apart and compressed.
WITH RECURSIVE lanes (queue) AS (
    (SELECT queue FROM river_job WHERE state = 'retryable' ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (
        SELECT job.queue
        FROM river_job AS job
        WHERE job.state = 'retryable' AND job.queue > lanes.queue
        ORDER BY job.queue
        LIMIT 1
    )
    FROM lanes
    WHERE lanes.queue IS NOT NULL
),
shared AS MATERIALIZED (
    SELECT queue, greatest(%(looked)s::int / count(*) OVER (), 1) AS jobs FROM lanes WHERE queue IS NOT NULL
),
looked_at AS MATERIALIZED (
    (
        SELECT id, state, kind, queue, errors[array_upper(errors, 1)] AS failure, %(looked)s::bigint AS share
        FROM river_job
        WHERE state = 'discarded' AND finalized_at IS NOT NULL
        ORDER BY finalized_at DESC
        LIMIT %(looked)s::int
    )
    UNION ALL
    (
        SELECT job.id, job.state, job.kind, job.queue, job.failure, shared.jobs
        FROM shared
        CROSS JOIN LATERAL (
            SELECT id, state, kind, queue, errors[array_upper(errors, 1)] AS failure
            FROM river_job
            WHERE state = 'retryable' AND queue = shared.queue
            ORDER BY priority, scheduled_at, id
            LIMIT shared.jobs
        ) AS job
        LIMIT %(looked)s::int
    )
),
failed AS MATERIALIZED (
    SELECT id, state, kind, queue, coalesce(failure ->> 'error', '') AS said, failure ->> 'at' AS at
    FROM looked_at
    WHERE failure IS NOT NULL
),
read AS MATERIALIZED (
    SELECT
        id, state, kind, queue,
        left(said, 2000) AS whole,
        \ir parts/failure_message.sql
        AS message,
        CASE WHEN at ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$' THEN at::timestamptz END AS at
    FROM failed
),
alike AS MATERIALIZED (
    SELECT
        kind,
        message,
        array_agg(DISTINCT queue ORDER BY queue) AS queues,
        count(*) FILTER (WHERE state = 'discarded') AS discarded,
        count(*) FILTER (WHERE state = 'retryable') AS retryable,
        count(*) FILTER (WHERE at > now() - interval '1 hour') AS "hour",
        count(*) FILTER (WHERE at > now() - interval '1 day') AS "day",
        count(*) FILTER (WHERE at > now() - interval '7 days') AS week,
        min(at) AS first_at,
        max(at) AS last_at,
        array_agg(id ORDER BY at DESC NULLS LAST, id DESC) AS ids
    FROM read
    WHERE %(queues)s::text[] IS NULL OR queue = ANY (%(queues)s::text[])
    GROUP BY kind, message
)
SELECT
    left(md5(alike.kind || E'\n' || alike.message), 16) AS fingerprint,
    alike.kind,
    alike.message,
    newest.id AS newest,
    newest.whole,
    alike.queues,
    alike.discarded,
    alike.retryable,
    alike."hour",
    alike."day",
    alike.week,
    alike.first_at,
    alike.last_at,
    alike.ids[:1000] AS ids,
    EXISTS (
        SELECT
        FROM looked_at
        GROUP BY state, CASE WHEN state = 'retryable' THEN queue END, share
        HAVING count(*) >= share
    ) AS more
FROM alike
JOIN read AS newest ON newest.id = alike.ids[1]
ORDER BY alike.last_at DESC NULLS LAST, alike.kind, alike.message
