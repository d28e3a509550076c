-- minute_summary.sql
-- Sum up how attempts of each queue ended of late, and how long they ran and waited.
--   in:    minutes, how many the histograms reach back, the present one included
--   out:   queue · completed and failed in the last whole minute · run_buckets and wait_buckets, counts in the order of
--          the bounds, one element more than there are bounds
--   index: riverrun_minute_pkey
WITH recent AS MATERIALIZED (
    SELECT queue, minute, completed, retried, discarded, run_buckets, wait_buckets
    FROM riverrun_minute
    WHERE minute > now() - make_interval(mins => %(minutes)s::int)
)
SELECT
    total.queue,
    total.completed,
    total.failed,
    ARRAY(
        SELECT sum(bucket.jobs)::bigint
        FROM recent
        CROSS JOIN unnest(recent.run_buckets) WITH ORDINALITY AS bucket (jobs, position)
        WHERE recent.queue = total.queue
        GROUP BY bucket.position
        ORDER BY bucket.position
    ) AS run_buckets,
    ARRAY(
        SELECT sum(bucket.jobs)::bigint
        FROM recent
        CROSS JOIN unnest(recent.wait_buckets) WITH ORDINALITY AS bucket (jobs, position)
        WHERE recent.queue = total.queue
        GROUP BY bucket.position
        ORDER BY bucket.position
    ) AS wait_buckets
FROM (
    SELECT
        queue,
        coalesce(sum(completed) FILTER (WHERE last_one), 0)::bigint AS completed,
        coalesce(sum(retried + discarded) FILTER (WHERE last_one), 0)::bigint AS failed
    FROM (
        SELECT
            queue, completed, retried, discarded,
            minute = date_trunc('minute', now()) - interval '1 minute' AS last_one
        FROM recent
    ) AS marked
    GROUP BY queue
) AS total
ORDER BY total.queue
