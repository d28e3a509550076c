-- hour_compact.sql
-- Sum up the minutes of the oldest hour that is over and has not been summed up.
--   in:    generation, the leader's term
--   out:   the hour; no row when there is none
--   locks: new rows only: an hour is written whole, or not at all
--   index: riverrun_hour_pkey, riverrun_minute_pkey
-- Executors write a minute under the time at which their statement began; five minutes later none is on its way.
-- Both arrays of a row are taken apart in step among the columns, the shorter one filled up with NULL: each minute is
-- gone through once, however many pairs of queue and kind there are.
WITH next AS MATERIALIZED (
    SELECT date_trunc('hour', min(minute), 'UTC') AS hour
    FROM riverrun_minute
    WHERE minute >= coalesce((SELECT max(hour) + interval '1 hour' FROM riverrun_hour), '-infinity')
        AND minute < date_trunc('hour', now() - interval '5 minutes', 'UTC')
        AND EXISTS (SELECT FROM riverrun_leader WHERE generation = %(generation)s::bigint)
),
minutes AS MATERIALIZED (
    SELECT
        next.hour, queue, kind, completed, retried, snoozed, discarded, cancelled, interrupted, rescued, run_seconds,
        wait_seconds, run_buckets, wait_buckets
    FROM next
    JOIN riverrun_minute ON minute >= next.hour AND minute < next.hour + interval '1 hour'
),
totals AS (
    SELECT
        hour, queue, kind, sum(completed) AS completed, sum(retried) AS retried, sum(snoozed) AS snoozed,
        sum(discarded) AS discarded, sum(cancelled) AS cancelled, sum(interrupted) AS interrupted,
        sum(rescued) AS rescued, sum(run_seconds) AS run_seconds, sum(wait_seconds) AS wait_seconds
    FROM minutes
    GROUP BY hour, queue, kind
),
buckets AS (
    SELECT
        queue,
        kind,
        array_agg(run ORDER BY position) FILTER (WHERE run IS NOT NULL) AS run_buckets,
        array_agg(wait ORDER BY position) FILTER (WHERE wait IS NOT NULL) AS wait_buckets
    FROM (
        SELECT queue, kind, position, sum(run)::bigint AS run, sum(wait)::bigint AS wait
        FROM (
            SELECT
                queue,
                kind,
                generate_series(1, greatest(cardinality(run_buckets), cardinality(wait_buckets))) AS position,
                unnest(run_buckets) AS run,
                unnest(wait_buckets) AS wait
            FROM minutes
        ) AS bucket
        GROUP BY queue, kind, position
    ) AS counted
    GROUP BY queue, kind
),
written AS (
    INSERT INTO riverrun_hour (
        hour, queue, kind, completed, retried, snoozed, discarded, cancelled, interrupted, rescued, run_seconds,
        wait_seconds, run_buckets, wait_buckets
    )
    SELECT
        hour, queue, kind, completed, retried, snoozed, discarded, cancelled, interrupted, rescued, run_seconds,
        wait_seconds, coalesce(run_buckets, '{}'), coalesce(wait_buckets, '{}')
    FROM totals
    LEFT JOIN buckets USING (queue, kind)
    RETURNING hour
)
SELECT DISTINCT hour FROM written
