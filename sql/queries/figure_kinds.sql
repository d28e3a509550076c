-- figure_kinds.sql
-- Sum up how attempts of each kind ended since a moment, and how long they ran, the busiest kinds first.
--   in:    since · by_hour, whether to read hours where there are some · queues, NULL: any · most, how many kinds
--   out:   kind · completed, retried, discarded · run_seconds, all attempts together · run_buckets, counts in the order of
--          the bounds
--   index: riverrun_minute_pkey, riverrun_hour_pkey
-- Arrays are taken apart among the columns, all of a row in step: as a joined table they cost twice as much.
WITH read AS MATERIALIZED (
    SELECT kind, completed, retried, discarded, run_seconds, run_buckets
    FROM riverrun_hour
    WHERE %(by_hour)s::bool
        AND hour >= %(since)s::timestamptz
        AND (%(queues)s::text[] IS NULL OR queue = ANY (%(queues)s::text[]))
    UNION ALL
    SELECT kind, completed, retried, discarded, run_seconds, run_buckets
    FROM riverrun_minute
    WHERE minute >= greatest(
        %(since)s::timestamptz,
        CASE WHEN %(by_hour)s::bool THEN (SELECT max(hour) + interval '1 hour' FROM riverrun_hour) END
    )
        AND (%(queues)s::text[] IS NULL OR queue = ANY (%(queues)s::text[]))
),
busy AS MATERIALIZED (
    SELECT
        kind,
        sum(completed)::bigint AS completed,
        sum(retried)::bigint AS retried,
        sum(discarded)::bigint AS discarded,
        sum(run_seconds) AS run_seconds
    FROM read
    GROUP BY kind
    ORDER BY sum(completed + retried + discarded) DESC, kind
    LIMIT %(most)s::int
),
buckets AS (
    SELECT kind, array_agg(jobs ORDER BY position) AS run_buckets
    FROM (
        SELECT kind, position, sum(jobs)::bigint AS jobs
        FROM (
            SELECT kind, generate_subscripts(run_buckets, 1) AS position, unnest(run_buckets) AS jobs
            FROM read
            WHERE kind IN (SELECT kind FROM busy)
        ) AS bucket
        GROUP BY kind, position
    ) AS counted
    GROUP BY kind
)
SELECT
    busy.kind, busy.completed, busy.retried, busy.discarded, busy.run_seconds,
    coalesce(buckets.run_buckets, '{}') AS run_buckets
FROM busy
LEFT JOIN buckets USING (kind)
ORDER BY busy.completed + busy.retried + busy.discarded DESC, busy.kind
