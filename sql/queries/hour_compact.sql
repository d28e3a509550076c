-- hour_compact.sql
-- Sum up the minutes of the oldest hour that is over and has not been summed up.
--   in:    generation, the leader's term
--   out:   the hour; no row when there is none
--   locks: new rows only: an hour is written whole, or not at all
--   index: riverrun_hour_pkey, riverrun_minute_pkey
-- Executors write a minute under the time at which their statement began; five minutes later none is on its way.
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
written AS (
    INSERT INTO riverrun_hour (
        hour, queue, kind, completed, retried, snoozed, discarded, cancelled, interrupted, rescued, run_seconds,
        wait_seconds, run_buckets, wait_buckets
    )
    SELECT
        total.hour, total.queue, total.kind, sum(completed), sum(retried), sum(snoozed), sum(discarded), sum(cancelled),
        sum(interrupted), sum(rescued), sum(run_seconds), sum(wait_seconds),
        ARRAY(
            SELECT sum(bucket.jobs)::bigint
            FROM minutes AS each
            CROSS JOIN unnest(each.run_buckets) WITH ORDINALITY AS bucket (jobs, position)
            WHERE each.queue = total.queue AND each.kind = total.kind
            GROUP BY bucket.position
            ORDER BY bucket.position
        ),
        ARRAY(
            SELECT sum(bucket.jobs)::bigint
            FROM minutes AS each
            CROSS JOIN unnest(each.wait_buckets) WITH ORDINALITY AS bucket (jobs, position)
            WHERE each.queue = total.queue AND each.kind = total.kind
            GROUP BY bucket.position
            ORDER BY bucket.position
        )
    FROM minutes AS total
    GROUP BY total.hour, total.queue, total.kind
    RETURNING hour
)
SELECT DISTINCT hour FROM written
