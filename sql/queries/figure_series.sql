-- figure_series.sql
-- Sum up how attempts ended, step by step of time, and how long they ran and waited.
--   in:    since · until, not included · step in seconds, a whole part of a day · by_hour, whether to read hours where there are some ·
--          queues, NULL: any
--   out:   start of the step · completed, retried, snoozed, discarded, cancelled, interrupted and rescued · run_buckets
--          and wait_buckets, counts in the order of the bounds; steps in which nothing ended are left out
--   index: riverrun_minute_pkey, riverrun_hour_pkey
-- Arrays are taken apart among the columns, all of a row in step: as a joined table they cost twice as much.
WITH read AS MATERIALIZED (
    SELECT
        hour AS at, completed, retried, snoozed, discarded, cancelled, interrupted, rescued, run_buckets, wait_buckets
    FROM riverrun_hour
    WHERE %(by_hour)s::bool
        AND hour >= %(since)s::timestamptz
        AND hour < %(until)s::timestamptz
        AND (%(queues)s::text[] IS NULL OR queue = ANY (%(queues)s::text[]))
    UNION ALL
    SELECT minute, completed, retried, snoozed, discarded, cancelled, interrupted, rescued, run_buckets, wait_buckets
    FROM riverrun_minute
    WHERE minute >= greatest(
        %(since)s::timestamptz,
        CASE WHEN %(by_hour)s::bool THEN (SELECT max(hour) + interval '1 hour' FROM riverrun_hour) END
    )
        AND minute < %(until)s::timestamptz
        AND (%(queues)s::text[] IS NULL OR queue = ANY (%(queues)s::text[]))
),
placed AS MATERIALIZED (
    SELECT
        to_timestamp(floor(extract(epoch FROM at) / %(step)s::int) * %(step)s::int) AS step, completed, retried, snoozed,
        discarded, cancelled, interrupted, rescued, run_buckets, wait_buckets
    FROM read
),
buckets AS (
    SELECT
        step,
        array_agg(run ORDER BY position) FILTER (WHERE run IS NOT NULL) AS run_buckets,
        array_agg(wait ORDER BY position) FILTER (WHERE wait IS NOT NULL) AS wait_buckets
    FROM (
        SELECT step, position, sum(run)::bigint AS run, sum(wait)::bigint AS wait
        FROM (
            SELECT
                step,
                generate_series(1, greatest(cardinality(run_buckets), cardinality(wait_buckets))) AS position,
                unnest(run_buckets) AS run,
                unnest(wait_buckets) AS wait
            FROM placed
        ) AS bucket
        GROUP BY step, position
    ) AS counted
    GROUP BY step
)
SELECT
    ended.step, ended.completed, ended.retried, ended.snoozed, ended.discarded, ended.cancelled, ended.interrupted,
    ended.rescued, coalesce(buckets.run_buckets, '{}') AS run_buckets, coalesce(buckets.wait_buckets, '{}') AS wait_buckets
FROM (
    SELECT
        step,
        sum(completed)::bigint AS completed,
        sum(retried)::bigint AS retried,
        sum(snoozed)::bigint AS snoozed,
        sum(discarded)::bigint AS discarded,
        sum(cancelled)::bigint AS cancelled,
        sum(interrupted)::bigint AS interrupted,
        sum(rescued)::bigint AS rescued
    FROM placed
    GROUP BY step
) AS ended
LEFT JOIN buckets USING (step)
ORDER BY ended.step
